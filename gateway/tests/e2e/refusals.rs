//! Requests that the gateway answers itself, with a status and a reason.

use crate::support::{Builder, Gateway, Pool, Upstream, get};

async fn limited(limits: &str, server: &Upstream) -> Gateway {
    let pool = Pool::of(&[server]);
    Builder::new()
        .with(&format!("[limits]\n{limits}"))
        .pool(pool)
        .start()
        .await
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_answered_431() {
    let server = Upstream::named("a").await;
    let gateway = limited("request_head = \"8KiB\"", &server).await;
    let long = "x".repeat(16 << 10);
    let response = gateway
        .exchange(format!(
            "GET / HTTP/1.1\r\nhost: a\r\nx-long: {long}\r\n\r\n"
        ))
        .await;
    assert_eq!(response.status(), 431);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn too_many_headers_are_answered_431() {
    let server = Upstream::named("a").await;
    // The last is the limit of who says nothing.
    for (limits, most) in [("request_headers = 20", 20), ("", 100)] {
        let gateway = limited(limits, &server).await;
        for (lines, status) in [(most, 200), (most + 1, 431)] {
            let others = "x-a: 1\r\n".repeat(lines - 1);
            let response = gateway
                .exchange(format!("GET / HTTP/1.1\r\nhost: a\r\n{others}\r\n"))
                .await;
            assert_eq!(response.status(), status, "{lines} lines");
        }
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_body_announced_beyond_the_limit_is_answered_413_unread() {
    let server = Upstream::named("a").await;
    let gateway = limited("request_body = \"1KiB\"", &server).await;
    let mut client = gateway.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1025\r\n\r\n")
        .await;
    let response = client.response().await;
    assert_eq!(response.status(), 413);
    assert!(response.error().contains("larger"), "{response:?}");
    assert!(client.is_closed().await);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_body_that_grows_beyond_the_limit_is_answered_413() {
    let server = Upstream::named("a").await;
    let gateway = limited("request_body = \"1KiB\"", &server).await;
    let mut client = gateway.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    client.send_chunk(&[b'x'; 1000]).await;
    client.send_chunk(&[b'x'; 1000]).await;
    assert_eq!(client.response().await.status(), 413);
    gateway.settles().await;
}

#[tokio::test]
async fn what_is_no_http_is_answered_400() {
    let server = Upstream::named("a").await;
    let gateway = limited("request_head = \"8KiB\"", &server).await;
    for bytes in [
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
        "G ET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        assert_eq!(gateway.exchange(bytes).await.status(), 400, "{bytes:?}");
    }
    assert!(server.requests().is_empty());
    assert_eq!(gateway.get("/").await.status(), 200);
}

#[tokio::test]
async fn no_tunnels_are_opened() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let response = gateway
        .exchange("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n")
        .await;
    assert_eq!(response.status(), 405);
    assert!(response.error().contains("tunnel"));
}

#[tokio::test]
async fn a_request_that_no_route_matches_is_answered_404() {
    let [web, api] = [Upstream::named("web").await, Upstream::named("api").await];
    let routes = "[router]\nplugin = \"path-router\"\n[router.config]\n\
                  routes = [{ path = \"/api/*\", pool = \"api\" }, { path = \"/\", pool = \"web\" }]";
    let pools = [Pool::of(&[&web]), Pool::of(&[&api]).named("api")];
    let builder = pools
        .into_iter()
        .fold(Builder::new().with(routes), Builder::pool);
    let gateway = builder.start().await;
    assert_eq!(gateway.get("/api/x").await.text(), "api");
    assert_eq!(gateway.get("/").await.text(), "web");
    let response = gateway.exchange(get("/nowhere")).await;
    assert_eq!(response.status(), 404);
    assert!(response.error().contains("no route"));
}
