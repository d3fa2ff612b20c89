//! What plugins change of a request or a response, and what clients cannot
//! undo of it.

use crate::support::{Builder, Gateway, Guest, Message, Pool, Upstream};

/// A request policy that has a host function `$call` of these parameters called
/// with texts, for every path but `/`.
fn calling(interface: &str, function: &str, texts: &[&str]) -> Vec<u8> {
    let mut at = Guest::TEXTS;
    let mut arguments = String::new();
    for text in texts {
        arguments += &format!("(i32.const {at}) (i32.const {}) ", text.len());
        at += text.len();
    }
    let signature = format!("$call (param {})", "i32 i32 ".repeat(texts.len()));
    Guest::policy_that(&format!("(call $call {arguments})"))
        .importing(interface, function, &signature)
        .saying(texts)
        .build()
}

/// A gateway with this request policy.
async fn policed_by(component: Vec<u8>, pool: Pool) -> Gateway {
    Builder::new()
        .plugin_granted("mine", "[\"rewrite\", \"response\"]", component)
        .with("[[policy]]\nplugin = \"mine\"")
        .pool(pool)
        .start()
        .await
}

/// What the server gets of this request when a policy calls `rewrite` so.
async fn rewritten(function: &str, texts: &[&str], request: &str) -> Message {
    let server = Upstream::named("a").await;
    let gateway = policed_by(calling("rewrite", function, texts), Pool::of(&[&server])).await;
    assert_eq!(gateway.exchange(request).await.status(), 200);
    server.request()
}

#[tokio::test]
async fn a_client_cannot_have_a_header_taken_away_that_a_policy_has_set() {
    let request = "GET /x HTTP/1.1\r\nhost: a\r\nx-user: root\r\n\
                   connection: x-user\r\n\r\n";
    let request = rewritten("set-header", &["x-user", "guest"], request).await;
    assert_eq!(request.headers("x-user"), ["guest"]);
}

#[tokio::test]
async fn a_policy_does_not_see_headers_that_the_server_will_not_get() {
    let server = Upstream::named("a").await;
    // It asks for the header, with the answer at 32, and refuses with 403 if it is there.
    let name = "x-probe";
    let refuses = format!(
        "(call $header (i32.const {}) (i32.const {}) (i32.const 32)) \
         (if (i32.load8_u (i32.const 32)) (then (i32.store8 (i32.const 16) (i32.const 1)) \
         (i32.store16 (i32.const 18) (i32.const 403)) (return (i32.const 16))))",
        Guest::TEXTS,
        name.len()
    );
    let policy = Guest::policy_that(&refuses)
        .importing("request", "header", "$header (param i32 i32 i32)")
        .saying(&[name]);
    let gateway = policed_by(policy.build(), Pool::of(&[&server])).await;
    let head = "GET /x HTTP/1.1\r\nhost: a\r\nx-probe: 1\r\n";
    assert_eq!(gateway.exchange(format!("{head}\r\n")).await.status(), 403);
    let listed = format!("{head}connection: keep-alive, X-Probe\r\n\r\n");
    assert_eq!(gateway.exchange(listed).await.status(), 200);
    assert!(server.request().headers("x-probe").is_empty());
}

#[tokio::test]
async fn the_host_that_was_asked_for_is_told_beside_the_one_a_policy_chose() {
    let request = "GET /x HTTP/1.1\r\nhost: Shop.Example:81\r\n\r\n";
    let request = rewritten("authority", &["inner.example"], request).await;
    assert_eq!(request.headers("host"), ["inner.example"]);
    assert_eq!(request.headers("x-forwarded-host"), ["shop.example:81"]);
}

#[tokio::test]
async fn what_cannot_be_in_a_query_is_encoded_in_the_one_a_policy_chose() {
    let query = "a=<b>#c";
    let (at, length) = (Guest::TEXTS, query.len());
    let call = format!("(call $call (i32.const 1) (i32.const {at}) (i32.const {length}))");
    let policy = Guest::policy_that(&call)
        .importing("rewrite", "query", "$call (param i32 i32 i32)")
        .saying(&[query]);
    let server = Upstream::named("a").await;
    let gateway = policed_by(policy.build(), Pool::of(&[&server])).await;
    assert_eq!(gateway.get("/x?mine").await.status(), 200);
    assert_eq!(server.request().target(), "/x?a=%3Cb%3E%23c");
}

#[tokio::test]
async fn a_body_that_a_policy_gives_to_a_servers_response_leaves_it_as_it_is() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi".into()
    })
    .await;
    let body = calling("response", "body", &["application/json", "{}"]);
    let gateway = policed_by(body, Pool::of(&[&server])).await;
    let response = gateway.get("/x").await;
    assert_eq!(response.headers("content-type"), ["text/html"]);
    assert_eq!(response.text(), "hi");
}

#[tokio::test]
async fn a_body_that_a_policy_gives_to_the_gateways_own_error_leaves_it_as_it_is() {
    let body = calling("response", "body", &["text/plain", "mine"]);
    let gateway = policed_by(body, Pool::at(&[Upstream::nowhere()])).await;
    let response = gateway.get("/x").await;
    assert_eq!(response.status(), 502);
    assert!(response.error().contains("cannot be reached"));
}

#[tokio::test]
async fn what_a_policy_says_of_the_client_is_what_the_server_is_told() {
    for (name, value) in [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-prefix", "/shop"),
        ("x-real-ip", "192.0.2.7"),
        ("forwarded", "for=192.0.2.7"),
        ("x-request-id", "42"),
    ] {
        let claims = format!("GET /x HTTP/1.1\r\nhost: a\r\n{name}: of the client's\r\n\r\n");
        let request = rewritten("set-header", &[name, value], &claims).await;
        assert_eq!(request.headers(name), [value], "{name}");
    }
    let claims = "GET /x HTTP/1.1\r\nhost: a\r\nx-real-ip: of the client's\r\n\r\n";
    let request = rewritten("set-header", &["x-forwarded-for", "192.0.2.7"], claims).await;
    assert_eq!(
        request.headers("x-real-ip"),
        ["127.0.0.1"],
        "the others stay ours"
    );
}

#[tokio::test]
async fn what_a_policy_says_or_leaves_out_is_said_in_no_other_spelling() {
    let request = "POST /x HTTP/1.1\r\nhost: a\r\nX_User: root\r\nx-user: root\r\nte: trailers\r\n\
                   transfer-encoding: chunked\r\ntrailer: x-user\r\n\r\n\
                   2\r\nhi\r\n0\r\nx-user: root\r\nx_user: root\r\nx-sum: 1\r\n\r\n";
    let set = rewritten("set-header", &["x-user", "ann"], request).await;
    assert_eq!(set.headers("x-user"), ["ann"]);
    let removed = rewritten("remove-header", &["x-user"], request).await;
    assert_eq!(removed.header("x-user"), None);
    let other = rewritten("set-header", &["x_user", "ann"], request).await;
    assert_eq!(other.header("x-user"), None);
    assert_eq!(other.headers("x_user"), ["ann"]);
    for request in [set, removed] {
        assert_eq!(request.header("x_user"), None);
        assert_eq!(request.trailers, "x-sum: 1\n");
    }
}
