//! What clients get of what is kept: parts, heads, stale answers, and what becomes of it
//! when something changes.

use super::{asking, caching, numbered, said};
use crate::support::{Builder, Client, Gateway, Message, Pool, Upstream, eventually};

#[tokio::test]
async fn parts_and_heads_are_made_of_the_whole() {
    let head = "|Cache-Control: max-age=60|ETag: \"a\"|Content-Type: text/plain";
    let server = Upstream::answering(move |_| {
        let headers = head[1..].replace('|', "\r\n");
        format!("HTTP/1.1 200 OK\r\n{headers}\r\nContent-Length: 10\r\n\r\n0123456789")
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("cache", "true")).await;
    gateway.get("/").await;
    for (range, status, text, place) in [
        ("Range: bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("Range: bytes=-3", 206, "789", Some("bytes 7-9/10")),
        ("Range: bytes=8-", 206, "89", Some("bytes 8-9/10")),
        ("Range: bytes=10-", 416, "", Some("bytes */10")),
        ("Range: bytes=0-1,3-4", 200, "0123456789", None),
        ("Range: x=0-1", 200, "0123456789", None),
        (
            "Range: bytes=2-4|If-Range: \"a\"",
            206,
            "234",
            Some("bytes 2-4/10"),
        ),
        ("Range: bytes=2-4|If-Range: \"b\"", 200, "0123456789", None),
    ] {
        let response = gateway.exchange(asking("GET", "/", range)).await;
        assert_eq!(
            (response.status(), response.text()),
            (status, text),
            "{range}"
        );
        assert_eq!(response.header("content-range"), place, "{range}");
    }
    let mut wire = gateway.connect().await;
    wire.send(asking("HEAD", "/", "")).await;
    let head = wire.response_to_head().await;
    assert_eq!((head.status(), head.length()), (200, Some(10)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_part_of_what_is_not_kept_is_the_servers_to_give() {
    let head = "206 Partial|Content-Range: bytes 0-0/9|Cache-Control: max-age=60";
    let (server, gateway) = caching(head, "true").await;
    for number in ["1", "2"] {
        let response = gateway
            .exchange(asking("GET", "/", "Range: bytes=0-0"))
            .await;
        assert_eq!((response.status(), response.text()), (206, number));
        assert_eq!(said(&response), "gatewright; fwd=partial");
    }
    assert_eq!(server.requests()[0].header("range"), Some("bytes=0-0"));
}

#[tokio::test]
async fn what_is_unsafe_and_succeeds_makes_an_end_of_what_is_kept() {
    let server = Upstream::answering(|request: &Message| {
        let number = match request.method() {
            "GET" => 1,
            _ => 2,
        };
        match request.header("x-answer") {
            Some(answer) => numbered(answer, number),
            None => numbered("|Cache-Control: max-age=60", number),
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("cache", "true")).await;
    let is_kept = async |path: &str| {
        let response = gateway.get(path).await;
        said(&response).starts_with("gatewright; hit")
    };
    for (method, path, answer, one, other) in [
        ("POST", "/", "200 OK", false, true),
        ("PUT", "/", "204 X", false, true),
        ("DELETE", "/other", "303 X|Location: /", false, false),
        (
            "PATCH",
            "/",
            "201 X|Content-Location: /other?a=b",
            false,
            true,
        ),
        (
            "X-OWN",
            "/",
            "200 OK|Location: http://localhost/other",
            false,
            false,
        ),
        (
            "POST",
            "/",
            "200 OK|Location: http://elsewhere/other",
            false,
            true,
        ),
        ("POST", "/", "404 X|Location: /other", true, true),
        ("POST", "/", "500 X|Location: /other", true, true),
        ("OPTIONS", "/", "200 OK|Location: /other", true, true),
        ("HEAD", "/", "200 OK", true, true),
    ] {
        for path in ["/", "/other"] {
            gateway.get(path).await;
            assert!(is_kept(path).await, "{path}");
        }
        let mut wire = gateway.connect().await;
        wire.send(
            asking(method, path, "")
                .replace("\r\n\r\n", &format!("\r\nX-Answer: {answer}\r\n\r\n")),
        )
        .await;
        match method {
            "HEAD" => wire.response_to_head().await,
            _ => wire.response().await,
        };
        assert_eq!(is_kept("/").await, one, "{method} {answer}");
        assert_eq!(is_kept("/other").await, other, "{method} {answer}");
    }
}

#[tokio::test]
async fn while_servers_fail_what_is_stale_does_for_as_long_as_it_may() {
    for (cache, head, is_used) in [
        (
            "true",
            "|Cache-Control: max-age=60, stale-if-error=60|Age: 90",
            true,
        ),
        (
            "true",
            "|Cache-Control: max-age=60, stale-if-error=10|Age: 90",
            false,
        ),
        (
            "true",
            "|Cache-Control: max-age=60|Age: 90|ETag: \"a\"",
            false,
        ),
        (
            "{ stale_if_error = \"1m\" }",
            "|Cache-Control: max-age=60|Age: 90",
            true,
        ),
        (
            "{ stale_if_error = \"1m\" }",
            "|Cache-Control: max-age=60, must-revalidate|Age: 90|ETag: \"a\"",
            false,
        ),
    ] {
        let server = Upstream::answering(move |request: &Message| match request.header("x-fail") {
            Some(_) => numbered("500 X", 9),
            None => numbered(head, 1),
        })
        .await;
        let pool = Pool::of(&[&server]).with("cache", cache);
        let pool = pool
            .with("retries", "{ attempts = 1 }")
            .with("breaker", "false");
        let gateway = Gateway::before(pool).await;
        assert_eq!(gateway.get("/").await.text(), "1");
        let response = gateway.exchange(asking("GET", "/", "X-Fail: 1")).await;
        let status = if is_used { 200 } else { 500 };
        assert_eq!(response.status(), status, "{cache} {head}");
        let _ = server.kill().await;
        let response = gateway.get("/").await;
        let status = if is_used { 200 } else { 502 };
        assert_eq!(response.status(), status, "{cache} {head}");
        if is_used {
            assert!(
                said(&response).contains("fwd=stale; fwd-status=502"),
                "{response:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_error_stands_in_for_what_is_kept_where_its_server_says_so() {
    for (status, cache, kept, says, is_replaced) in [
        // The latest of those that may be used is (RFC 9111 §4), also one that a server
        // has given instead of a confirmation (§4.3.3).
        ("403 X", "true", "max-age=60", "max-age=60", true),
        ("403 X", "true", "max-age=0", "max-age=60", true),
        ("400 X", "true", "max-age=60", "max-age=60", true),
        ("404 X", "true", "max-age=60", "max-age=60", true),
        ("503 X", "true", "max-age=60", "max-age=60", true),
        // It is no failure of the server's that something stale would do for (RFC 5861 §4).
        (
            "403 X",
            "{ stale_if_error = \"1m\" }",
            "max-age=0",
            "max-age=60",
            true,
        ),
        (
            "503 X",
            "{ stale_if_error = \"1m\" }",
            "max-age=0",
            "max-age=60",
            false,
        ),
        // Without a word of its own it is nobody else's.
        ("403 X", "true", "max-age=60", "x", false),
        ("503 X", "true", "max-age=60", "x", false),
    ] {
        let server = Upstream::answering(move |request: &Message| match request.header("x-fail") {
            Some(_) => numbered(&format!("{status}|Cache-Control: {says}"), 9),
            None => numbered(&format!("|Cache-Control: {kept}|ETag: \"a\""), 1),
        })
        .await;
        let pool = Pool::of(&[&server]).with("cache", cache);
        let pool = pool.with("retries", "{ attempts = 1 }");
        let gateway = Gateway::before(pool.with("breaker", "false")).await;
        assert_eq!(gateway.get("/").await.text(), "1");
        let failing = asking("GET", "/", "X-Fail: 1|Cache-Control: no-cache");
        gateway.exchange(failing).await;
        let text = gateway.get("/").await.text().to_owned();
        assert_eq!(text == "9", is_replaced, "{status} {cache} {kept} {says}");
    }
}

#[tokio::test]
async fn what_is_stale_is_used_while_it_is_validated_if_it_may_be() {
    let server = Upstream::answering(|request: &Message| match request.header("if-none-match") {
        Some(_) => numbered("|Cache-Control: max-age=60|ETag: \"b\"", 2),
        None => numbered(
            "|Cache-Control: max-age=60, stale-while-revalidate=60|Age: 90|ETag: \"a\"",
            1,
        ),
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("cache", "true")).await;
    assert_eq!(gateway.get("/").await.text(), "1");
    let response = gateway
        .exchange(asking("GET", "/", "Range: bytes=0-0"))
        .await;
    assert_eq!((response.status(), response.text()), (206, "1"));
    eventually("the new one is there", async || {
        gateway.get("/").await.text() == "2"
    })
    .await;
    let asked = server.requests();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].header("range"), None);
    assert_eq!(
        gateway
            .metric("gatewright_cache_requests_total{pool=\"web\",result=\"miss\"}")
            .await,
        1.0
    );
}

#[tokio::test]
async fn a_client_that_wants_nothing_else_is_told_that_there_is_nothing() {
    let (server, gateway) = caching("|Cache-Control: max-age=60", "true").await;
    let only = asking("GET", "/", "Cache-Control: only-if-cached");
    assert_eq!(gateway.exchange(&only).await.status(), 504);
    assert!(server.requests().is_empty());
    gateway.get("/").await;
    assert_eq!(gateway.exchange(&only).await.text(), "1");
}

#[tokio::test]
async fn what_the_gateway_adds_to_an_answer_is_not_kept() {
    let (server, gateway) = {
        let server = Upstream::answering(|_| numbered("|Cache-Control: max-age=60", 1)).await;
        let pool = Pool::of(&[&server]).with("cache", "true");
        let pool = pool.with("affinity", "\"sticky-cookie\"");
        let gateway = Gateway::before(pool).await;
        (server, gateway)
    };
    assert!(gateway.get("/").await.header("set-cookie").is_some());
    let kept = gateway.get("/").await;
    assert_eq!((kept.text(), kept.header("set-cookie")), ("1", None));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn hosts_schemes_and_queries_are_told_apart_and_http2_gets_what_http1_brought() {
    let (server, _) = caching("|Cache-Control: max-age=60", "true").await;
    let builder = Builder::new().tls("self_signed = true");
    let pool = Pool::of(&[&server]).with("cache", "true");
    let gateway = builder.pool(pool).start().await;
    let at = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(gateway.exchange(at("a")).await.text(), "1");
    assert_eq!(gateway.exchange(at("A")).await.text(), "1");
    assert_eq!(gateway.exchange(at("b")).await.text(), "2");
    let mut http1 = Client::https(gateway.tls_address(), &["http/1.1"]).await;
    assert_eq!(http1.get("/").await.body(), "3");
    let mut http2 = Client::https(gateway.tls_address(), &["h2"]).await;
    let response = http2.get("/").await;
    assert_eq!(response.body(), "3");
    assert!(response.headers().contains_key("age"));
}

#[tokio::test]
async fn what_a_trusted_proxy_says_of_the_url_is_told_apart_and_what_others_say_is_not() {
    for (trusted, is_trusted) in [("[\"127.0.0.0/8\"]", true), ("[]", false)] {
        let server = Upstream::answering(|_| numbered("|Cache-Control: max-age=60", 1)).await;
        let builder = Builder::new().top(&format!("trusted_proxies = {trusted}"));
        let pool = Pool::of(&[&server]).with("cache", "true");
        let gateway = builder.pool(pool).start().await;
        // Whether the one is answered by what came of the other.
        for (number, (one, other, is_one)) in [
            ("X-Forwarded-Proto: http", "X-Forwarded-Proto: https", false),
            ("X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /b", false),
            ("X-Forwarded-Port: 443", "", false),
            ("Forwarded: host=a;for=x", "Forwarded: host=b;for=x", false),
            ("Forwarded: host=a;for=x", "Forwarded: for=y;host=a", true),
            (
                "X-Forwarded-For: 10.0.0.1",
                "X-Forwarded-For: 10.0.0.2",
                true,
            ),
            ("X-Forwarded-Server: a", "X-Forwarded-Server: b", true),
            ("", "X-Forwarded-User: ann", false),
            ("X-Forwarded-Else: a", "X-Forwarded-Else: a", false),
        ]
        .into_iter()
        .enumerate()
        {
            let before = server.requests().len();
            for headers in [one, other] {
                let request = asking("GET", &format!("/{number}"), headers);
                assert_eq!(gateway.exchange(request).await.status(), 200);
            }
            let asked = if is_one || !is_trusted { 1 } else { 2 };
            let came = server.requests().len() - before;
            assert_eq!(came, asked, "{trusted}: {one:?}, {other:?}");
        }
    }
}
