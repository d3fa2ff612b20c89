//! Whether what a client or the gateway has is still right.

use super::{asking, caching, numbered, said};
use crate::support::{Builder, Gateway, Message, Peer, Pool, Upstream, eventually};

#[tokio::test]
async fn a_client_that_has_it_is_told_so_from_what_is_kept() {
    let head = "|Cache-Control: max-age=60|ETag: \"a\"|Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT|X-A: b";
    let (server, gateway) = caching(head, "true").await;
    assert_eq!(gateway.get("/").await.text(), "1");
    for (headers, status) in [
        ("If-None-Match: \"a\"", 304),
        ("If-None-Match: \"x\", W/\"a\"", 304),
        ("If-None-Match: *", 304),
        ("If-None-Match: \"x\"", 200),
        (
            "If-None-Match: \"x\"|If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            200,
        ),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("If-Modified-Since: Mon, 07 Nov 1994 08:49:37 GMT", 304),
        ("If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT", 200),
        ("If-Modified-Since: x", 200),
    ] {
        let response = gateway.exchange(asking("GET", "/", headers)).await;
        assert_eq!(response.status(), status, "{headers}");
        assert_eq!(response.header("etag"), Some("\"a\""), "{headers}");
        assert!(response.header("age").is_some(), "{headers}");
        assert_eq!(response.header("x-a"), Some("b"), "{headers}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_client_that_has_it_brings_it_to_those_who_do_not() {
    let (server, gateway) = caching("|Cache-Control: max-age=60|ETag: \"a\"", "true").await;
    let request = asking("GET", "/", "If-None-Match: \"a\"");
    let response = gateway.exchange(request).await;
    assert_eq!((response.status(), response.text()), (304, ""));
    assert_eq!(server.request().header("if-none-match"), None);
    let response = gateway.get("/").await;
    assert_eq!((response.status(), response.text()), (200, "1"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_client_that_has_it_is_told_all_that_came_with_it_but_what_describes_the_content() {
    let head = "|Cache-Control: max-age=60|ETag: \"a\"|Set-Cookie: a=1|Set-Cookie: b=2|\
                Link: </x>|Content-Type: text/plain|Content-Language: en|\
                Content-Digest: x|Accept-Ranges: bytes";
    let (server, gateway) = caching(head, "true").await;
    let request = asking("GET", "/", "If-None-Match: \"a\"");
    let response = gateway.exchange(request).await;
    assert_eq!((response.status(), response.text()), (304, ""));
    assert_eq!(response.headers("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(response.header("link"), Some("</x>"));
    assert_eq!(response.header("cache-control"), Some("max-age=60"));
    for name in [
        "content-type",
        "content-language",
        "content-length",
        "content-digest",
        "accept-ranges",
    ] {
        assert_eq!(response.header(name), None, "{name}");
    }
    // It was the server's answer to a request without the client's condition.
    assert_eq!(server.request().header("if-none-match"), None);
}

#[tokio::test]
async fn what_is_read_for_those_who_come_after_has_bounds_of_number_and_time() {
    const MOST: usize = 256;
    let server = Upstream::scripted(|mut peer: Peer| async move {
        peer.request().await;
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"a\"\r\n";
        peer.send(format!("{head}Content-Length: 100\r\n\r\nno more"))
            .await;
        peer.stall().await;
    })
    .await;
    let pool = Pool::of(&[&server]).with("cache", "true");
    let pool = pool.with("breaker", "false");
    let gateway = Builder::new().workers(1).pool(pool).start().await;
    let mut wire = gateway.connect().await;
    let mut is_read = async |number: usize| {
        let request = asking("GET", &format!("/{number}"), "If-None-Match: \"a\"");
        wire.send(request).await;
        let response = wire.response().await;
        assert_eq!(response.status(), 304);
        said(&response) == "gatewright; fwd=uri-miss; stored"
    };
    let mut number = 0;
    while is_read(number).await {
        number += 1;
        assert!(number < 8 * MOST, "there is no bound");
    }
    assert!(number >= MOST, "{number}");
    eventually("some have taken too long", async || {
        number += 1;
        is_read(number).await
    })
    .await;
}

/// A server whose answers are stale at once, and which confirms them.
async fn confirming() -> (Upstream, Gateway) {
    let server = Upstream::answering(|request: &Message| match request.header("if-none-match") {
        Some("\"a\"") => "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nX-New: 1\r\n\
                          Cache-Control: max-age=60\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n"
            .to_owned(),
        _ => numbered("|Cache-Control: max-age=0|ETag: \"a\"|X-Old: 1|X-Two: 0", 1),
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("cache", "true")).await;
    (server, gateway)
}

#[tokio::test]
async fn a_stale_answer_is_validated_and_is_then_as_new() {
    let (server, gateway) = confirming().await;
    assert_eq!(gateway.get("/").await.text(), "1");
    let response = gateway.get("/").await;
    assert_eq!((response.status(), response.text()), (200, "1"));
    assert_eq!(
        said(&response),
        "gatewright; fwd=stale; fwd-status=304; stored; ttl=60"
    );
    for _ in 0..2 {
        let response = gateway.get("/").await;
        assert_eq!(response.header("x-old"), Some("1"));
        assert_eq!(response.header("x-new"), Some("1"));
        assert_eq!(response.headers("x-two"), ["1", "2"]);
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn of_what_is_validated_and_not_to_be_kept_any_more_nothing_is_said_to_be_stored() {
    for said_now in ["no-store", "private"] {
        let server =
            Upstream::answering(
                move |request: &Message| match request.header("if-none-match") {
                    Some(_) => format!(
                        "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60, {said_now}\r\n\r\n"
                    ),
                    None => numbered("|Cache-Control: max-age=0|ETag: \"a\"", 1),
                },
            )
            .await;
        let gateway = Gateway::before(Pool::of(&[&server]).with("cache", "true")).await;
        assert_eq!(gateway.get("/").await.text(), "1");
        let response = gateway.get("/").await;
        assert_eq!((response.status(), response.text()), (200, "1"));
        let status = "gatewright; fwd=stale; fwd-status=304; ttl=60";
        assert_eq!(said(&response), status);
        let response = gateway.get("/").await;
        assert_eq!(said(&response), "gatewright; fwd=uri-miss; stored");
    }
}

#[tokio::test]
async fn a_client_that_asks_whether_it_is_right_is_told_by_what_was_validated() {
    let (server, gateway) = confirming().await;
    assert_eq!(gateway.get("/").await.text(), "1");
    let request = asking("GET", "/", "If-None-Match: \"other\"");
    assert_eq!(gateway.exchange(request).await.status(), 200);
    assert_eq!(server.requests()[1].headers("if-none-match"), ["\"a\""]);
    let request = asking("GET", "/", "If-None-Match: \"a\"");
    assert_eq!(gateway.exchange(request).await.status(), 304);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_confirmation_may_tell_variants_apart_by_something_else() {
    for (vary, is_hit) in [("X-A", [true, false]), ("*", [false, false])] {
        let server = Upstream::answering(move |request: &Message| {
            match request.header("if-none-match") {
                Some(_) => format!(
                    "HTTP/1.1 304 Not Modified\r\nVary: {vary}\r\nCache-Control: max-age=60\r\n\r\n"
                ),
                None => numbered("|Cache-Control: max-age=0|ETag: \"a\"", 1),
            }
        })
        .await;
        let gateway = Gateway::before(Pool::of(&[&server]).with("cache", "true")).await;
        for _ in 0..2 {
            let response = gateway.exchange(asking("GET", "/", "X-A: 1")).await;
            assert_eq!((response.status(), response.text()), (200, "1"));
        }
        for (value, is_hit) in [1, 2].into_iter().zip(is_hit) {
            let request = asking("GET", "/", &format!("X-A: {value}"));
            let response = gateway.exchange(request).await;
            let was_hit = said(&response).starts_with("gatewright; hit");
            assert_eq!(was_hit, is_hit, "{vary}, {value}: {response:?}");
        }
    }
}
