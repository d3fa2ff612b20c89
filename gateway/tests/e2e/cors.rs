//! Which web pages may use a pool: preflights, and what responses say.

use crate::support::{Builder, Gateway, Message, Pool, Upstream, get};

const RULES: &str = "{ origins = [\"https://app.example\"], methods = [\"PUT\", \"DELETE\"], \
                     headers = [\"x-api-key\"], expose = [\"x-total\"], credentials = true }";

/// A server with rules of its own, which do not count.
async fn gateway() -> (Upstream, Gateway) {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept\r\nContent-Length: 2\r\n\r\nhi".into()
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("cors", RULES)).await;
    (server, gateway)
}

fn allowed(response: &Message) -> Option<&str> {
    response.header("access-control-allow-origin")
}

#[tokio::test]
async fn a_preflight_is_answered_without_the_server() {
    let (server, gateway) = gateway().await;
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /a HTTP/1.1\r\nHost: api\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: PUT\r\n\r\n"
        )
    };
    let response = gateway.exchange(preflight("https://app.example")).await;
    assert_eq!(response.status(), 204);
    assert_eq!(allowed(&response), Some("https://app.example"));
    for (name, value) in [
        ("access-control-allow-methods", "PUT, DELETE"),
        ("access-control-allow-headers", "x-api-key"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "600"),
        ("vary", "Origin"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    let response = gateway.exchange(preflight("https://evil.example")).await;
    assert_eq!((response.status(), allowed(&response)), (204, None));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn responses_say_who_may_read_them_whatever_the_server_says() {
    let (_server, gateway) = gateway().await;
    let from = |origin: &str| format!("GET / HTTP/1.1\r\nHost: api\r\nOrigin: {origin}\r\n\r\n");
    let response = gateway.exchange(from("https://app.example")).await;
    assert_eq!(allowed(&response), Some("https://app.example"));
    assert_eq!(
        response.header("access-control-expose-headers"),
        Some("x-total")
    );
    assert_eq!(response.headers("vary"), ["Accept", "Origin"]);
    for other in ["https://evil.example", "null", "http://app.example"] {
        let response = gateway.exchange(from(other)).await;
        assert_eq!(
            (response.text(), allowed(&response)),
            ("hi", None),
            "{other}"
        );
    }
}

#[tokio::test]
async fn an_options_request_that_is_no_preflight_is_the_servers() {
    let (server, gateway) = gateway().await;
    let options = "OPTIONS / HTTP/1.1\r\nHost: api\r\n\r\n";
    assert_eq!(gateway.exchange(options).await.text(), "hi");
    assert_eq!(server.request().method(), "OPTIONS");
}

#[tokio::test]
async fn what_no_page_has_asked_for_may_still_come_to_pages_from_a_cache() {
    let (_server, gateway) = gateway().await;
    let response = gateway.get("/").await;
    assert_eq!((response.text(), allowed(&response)), ("hi", None));
    assert_eq!(response.headers("vary"), ["Accept", "Origin"]);
}

#[tokio::test]
async fn a_page_may_read_why_the_gateway_itself_does_not_serve_it() {
    let server = Upstream::named("a").await;
    let from = "POST / HTTP/1.1\r\nHost: api\r\nOrigin: https://app.example\r\n";
    let request = format!("{from}Content-Length: 9\r\n\r\n123456789");
    for (pool, limit, status) in [
        (Pool::at(&[Upstream::nowhere()]), 10, 502),
        (Pool::of(&[&server]).with("maintenance", "true"), 10, 503),
        (Pool::of(&[&server]), 5, 413),
    ] {
        let limits = format!("[limits]\nrequest_body = {limit}");
        let builder = Builder::new().with(&limits).pool(pool.with("cors", RULES));
        let gateway = builder.start().await;
        let response = gateway.exchange(&request).await;
        assert_eq!(response.status(), status);
        assert_eq!(allowed(&response), Some("https://app.example"), "{status}");
        assert_eq!(response.headers("vary"), ["Origin"], "{status}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn without_rules_nothing_is_said_of_origins() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let response = gateway.exchange(get("/")).await;
    assert_eq!(response.header("vary"), None);
}
