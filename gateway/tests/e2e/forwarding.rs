//! What a server gets to see of a request, and a client of a response.

use crate::support::{Gateway, Message, Pool, Upstream, get};

/// What the server gets when a client sends this head.
async fn seen_by_server(head: &str) -> Message {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    assert_eq!(gateway.exchange(head).await.status(), 200);
    server.request()
}

#[tokio::test]
async fn a_server_is_told_who_asks_and_the_clients_own_claims_are_dropped() {
    let request = seen_by_server(
        "GET / HTTP/1.1\r\nhost: Shop.Example:81\r\nx-forwarded-for: 6.6.6.6\r\n\
         x-forwarded-proto: https\r\nx-forwarded-host: evil\r\nx-real-ip: 6.6.6.6\r\n\
         forwarded: for=6.6.6.6\r\nx-request-id: mine\r\n\r\n",
    )
    .await;
    assert_eq!(request.headers("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(request.headers("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(request.headers("x-forwarded-proto"), ["http"]);
    assert_eq!(request.headers("x-forwarded-host"), ["shop.example:81"]);
    assert_eq!(request.headers("host"), ["shop.example:81"]);
    assert_eq!(request.headers("via"), ["1.1 gatewright"]);
    assert!(request.headers("forwarded").is_empty());
    assert!(
        request
            .header("x-request-id")
            .is_some_and(|id| id.len() == 32)
    );
}

#[tokio::test]
async fn what_a_trusted_proxy_says_is_continued() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::builder().top("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    let claims = "x-forwarded-for: 6.6.6.6, 9.9.9.9, 10.0.0.1\r\nx-forwarded-proto: https";
    gateway
        .exchange(format!("GET / HTTP/1.1\r\nhost: a\r\n{claims}\r\n\r\n"))
        .await;
    let request = server.request();
    assert_eq!(
        request.headers("x-forwarded-for"),
        ["6.6.6.6, 9.9.9.9, 10.0.0.1, 127.0.0.1"]
    );
    assert_eq!(request.headers("x-real-ip"), ["9.9.9.9"]);
    assert_eq!(request.headers("x-forwarded-proto"), ["https"]);
}

#[tokio::test]
async fn headers_of_the_clients_connection_stay_on_it() {
    let request = seen_by_server(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, X-Secret\r\nx-secret: 1\r\n\
         keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nproxy-authorization: x\r\n\
         te: gzip\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\nx-kept: 1\r\n\r\n",
    )
    .await;
    for name in [
        "connection",
        "x-secret",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
        "http2-settings",
    ] {
        assert!(request.headers(name).is_empty(), "{name}");
    }
    assert_eq!(request.header("x-kept"), Some("1"));
}

#[tokio::test]
async fn headers_of_the_servers_connection_stay_on_it() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\nconnection: X-Secret\r\nx-secret: 1\r\nkeep-alive: timeout=5\r\n\
         upgrade: h2c\r\ncontent-length: 0\r\nx-kept: 1\r\n\r\n"
            .into()
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let response = gateway.get("/").await;
    for name in ["connection", "x-secret", "keep-alive", "upgrade"] {
        assert!(response.headers(name).is_empty(), "{name}");
    }
    assert_eq!(response.header("x-kept"), Some("1"));
}

#[tokio::test]
async fn a_path_arrives_in_its_one_form() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for (sent, received) in [
        ("/a/./b//c/../%7Euser?q=/../", "/a/b/~user?q=/../"),
        ("/%2e%2E/a", ""),
        ("/a/%2e%2E/b", "/b"),
        ("/a%2fb", "/a%2Fb"),
        ("/..", ""),
        ("/a%00b", ""),
        ("/a%zz", ""),
        ("/a/..%2Fb", ""),
        ("http://other.example/x?y", "/x?y"),
    ] {
        let response = gateway.get(sent).await;
        let status = if received.is_empty() { 400 } else { 200 };
        assert_eq!(response.status(), status, "{sent}");
        let last = server.requests().pop();
        assert!(
            status == 400 || last.is_some_and(|last| last.target() == received),
            "{sent}"
        );
    }
    let refused = server
        .requests()
        .iter()
        .filter(|request| request.target().contains("%00"))
        .count();
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn the_host_of_an_absolute_target_is_what_counts() {
    let request = seen_by_server(&get("http://Other.Example:8080/x")).await;
    assert_eq!(request.headers("host"), ["other.example:8080"]);
    assert_eq!(request.target(), "/x");
}

#[tokio::test]
async fn each_request_of_a_connection_is_for_the_host_that_it_names() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    for (asked, told) in [
        ("a.example", "a.example"),
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("b.example:81", "b.example:81"),
        ("a.example", "a.example"),
    ] {
        let head = format!("GET / HTTP/1.1\r\nhost: {asked}\r\n\r\n");
        client.send(head).await;
        assert_eq!(client.response().await.status(), 200);
        let request = server.requests().pop().unwrap();
        assert_eq!(request.headers("host"), [told], "{asked}");
        assert_eq!(request.headers("x-forwarded-host"), [told], "{asked}");
    }
    client.send("GET / HTTP/1.1\r\nhost: a b\r\n\r\n").await;
    assert_eq!(client.response().await.status(), 400);
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    gateway.get("/").await;
    gateway.get("/").await;
    let ids = server.requests();
    assert_ne!(ids[0].header("x-request-id"), ids[1].header("x-request-id"));
}

#[tokio::test]
async fn what_may_not_be_said_in_the_head_may_not_be_said_behind_the_body() {
    let request = seen_by_server(
        "POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\
         trailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nx-forwarded-client-cert: Hash=0\r\n\
         client_cert: :AAAA:\r\nx-forwarded-for: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\n\
         content_length: 7\r\nx-sum: 1\r\n\r\n",
    )
    .await;
    assert_eq!(request.text(), "hi");
    assert_eq!(request.trailers, "x-sum: 1\n");
}

#[tokio::test]
async fn the_host_is_no_header_of_the_connection() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let listed = "GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: host\r\n\r\n";
    assert_eq!(gateway.exchange(listed).await.status(), 400);
    assert!(server.requests().is_empty());
}
