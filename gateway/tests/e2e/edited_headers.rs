//! Headers that the operator edits, as servers and clients see them.

use crate::support::{Builder, Pool, Upstream};

const POLICIES: &str = r#"
[[policy]]
name = "to-servers"
plugin = "headers"
[policy.config.request]
set = { X-Client = "{client_address} {method} {host}{path}", X-User = "{cookie:user}" }
add = { X-Via = "gateway" }
remove = ["X-Debug"]

[[policy]]
name = "to-clients"
plugin = "headers"
role = "response-policy"
[policy.config.response]
set = { X-Status = "{status} for {path}" }
default = { Cache-Control = "no-store", X-Frame-Options = "DENY" }
remove = ["Server"]
"#;

#[tokio::test]
async fn servers_and_clients_see_the_headers_that_the_operator_wants() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\nserver: old/1.0\r\ncache-control: public\r\ncontent-length: 0\r\n\r\n"
            .into()
    })
    .await;
    let builder = Builder::new().with(POLICIES);
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let answer = gateway
        .exchange(
            "GET /a HTTP/1.1\r\nhost: shop.example\r\ncookie: user=ann\r\nx-user: root\r\n\
             x-debug: 1\r\nx-via: client\r\n\r\n",
        )
        .await;
    let request = server.request();
    assert_eq!(
        request.headers("x-client"),
        ["127.0.0.1 GET shop.example/a"]
    );
    assert_eq!(request.headers("x-user"), ["ann"]);
    assert_eq!(request.headers("x-via"), ["client, gateway"]);
    assert!(request.headers("x-debug").is_empty());
    assert_eq!(answer.headers("x-status"), ["200 for /a"]);
    assert_eq!(answer.headers("cache-control"), ["public"]);
    assert_eq!(answer.headers("x-frame-options"), ["DENY"]);
    assert!(answer.headers("server").is_empty());
}

#[tokio::test]
async fn the_gateways_own_errors_have_them_too() {
    let builder = Builder::new().with(POLICIES);
    let gateway = builder.pool(Pool::at(&[Upstream::nowhere()])).start().await;
    let answer = gateway.get("/a").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.headers("x-status"), ["502 for /a"]);
    assert_eq!(answer.headers("x-frame-options"), ["DENY"]);
}

#[tokio::test]
async fn a_value_that_cannot_be_sent_leaves_no_other_in_its_place() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\nx-echo: the server's\r\ncontent-length: 0\r\n\r\n".into()
    })
    .await;
    let policies = r#"
[[policy]]
name = "to-servers"
plugin = "headers"
config = { request = { set = { X-Echo = "{header:x-long}!" } } }

[[policy]]
name = "to-clients"
plugin = "headers"
role = "response-policy"
config = { response = { set = { X-Echo = "{header:x-long}!" } } }
"#;
    let builder = Builder::new().with(policies);
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    // A plugin's value has 8192 bytes at most.
    for (length, expected) in [(8191, 1), (8192, 0)] {
        let long = "l".repeat(length);
        let headers = format!("x-long: {long}\r\nx-echo: the client's\r\n");
        let answer = gateway
            .exchange(format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n"))
            .await;
        let value = vec![format!("{long}!"); expected];
        let request = server.requests().pop().expect("a request");
        assert_eq!(request.headers("x-echo"), value);
        assert_eq!(answer.headers("x-echo"), value);
    }
}
