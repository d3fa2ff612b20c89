//! Requests that two readers could understand differently: they are refused,
//! or reach the server in one unambiguous form.

mod chunks;

use crate::support::{Gateway, Peer, Pool, Upstream};

/// Send bytes that hide a request for `/smuggled`, and see what comes of it:
/// the first status (0 when the connection is closed without a word), and
/// whether the server was asked for what was hidden.
async fn attack(bytes: &str) -> (u16, bool) {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send(bytes).await;
    let status = client
        .try_response()
        .await
        .map_or(0, |response| response.status());
    let hidden = server
        .requests()
        .iter()
        .any(|request| request.target() == "/smuggled");
    (status, hidden)
}

const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn ambiguous_lengths_are_refused() {
    let length = HIDDEN.len();
    for framing in [
        format!("content-length: 0\r\ncontent-length: {length}"),
        format!("content-length: {length}\r\ncontent-length: 0"),
        format!("content-length: 0, {length}"),
        "content-length: +0".into(),
        "content-length: -1".into(),
        "content-length: 0x0".into(),
        "content-length: 18446744073709551616".into(),
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n{HIDDEN}");
        assert_eq!(attack(&bytes).await, (400, false), "{framing}");
    }
}

#[tokio::test]
async fn of_both_framings_the_server_gets_one() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let framings = "content-length: 6\r\ntransfer-encoding: chunked";
    let mut client = gateway.connect().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\nhost: a\r\n{framings}\r\n\r\n0\r\n\r\nG"
        ))
        .await;
    assert!([200, 400].contains(&client.response().await.status()));
    for request in server.requests() {
        assert!(
            request.is_chunked() && request.length().is_none(),
            "{request:?}"
        );
        assert!(request.body.is_empty());
    }
}

#[tokio::test]
async fn a_request_has_exactly_one_host() {
    for head in [
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: user@a\r\n\r\n",
        "GET http://user@a/ HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        assert_eq!(attack(head).await, (400, false), "{head:?}");
    }
}

#[tokio::test]
async fn a_body_is_never_read_as_the_next_request() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let length = HIDDEN.len();
    for method in ["GET", "DELETE", "OPTIONS", "POST", "PATCH"] {
        let head = format!("{method} / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        gateway.exchange(head + HIDDEN).await;
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    assert!(
        requests
            .iter()
            .all(|request| request.target() == "/" && request.text() == HIDDEN)
    );
}

#[tokio::test]
async fn a_servers_surplus_bytes_are_nobodys_response() {
    let surplus = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    let server = Upstream::answering(move |_| {
        format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood{surplus}")
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for _ in 0..5 {
        assert_eq!(gateway.get("/").await.text(), "good");
    }
    assert_eq!(server.connections(), 5);
}

/// Of these heads each is refused, and nothing of it reaches the server.
async fn are_refused(heads: &[&str]) {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for head in heads {
        let mut client = gateway.connect().await;
        client.send([head, HIDDEN].concat()).await;
        let status = client.response().await.status();
        assert!(
            matches!(status, 400 | 405 | 501),
            "{head:?} brings {status}"
        );
        assert!(
            client.is_closed().await,
            "{head:?} is followed by an answer"
        );
    }
    assert!(server.requests().is_empty(), "{:?}", server.requests());
}

#[tokio::test]
async fn lines_that_readers_end_or_join_differently_are_refused() {
    are_refused(&[
        // A field that goes on in the next line (RFC 9112 §5.2).
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n\tb\r\n\r\n",
        "GET / HTTP/1.1\r\n host: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n chunked\r\n\r\n",
        // CR by itself (§2.2).
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\rcontent-length: 9\r\n\r\n",
        "GET / HTTP/1.1\rhost: a\r\n\r\n",
        "GET /\r HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\r\n\r\n",
        // Whitespace before the colon (§5.1), and names that are none.
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length : 9\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length\t: 9\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n: nameless\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx(y): z\r\n\r\n",
        // NUL and other controls.
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx\0: a\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\x08b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\x7fb\r\n\r\n",
    ])
    .await;
}

#[tokio::test]
async fn targets_and_methods_that_are_none_are_refused() {
    are_refused(&[
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\x0b\r\nhost: a\r\n\r\n",
        "GET / http/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.10\r\nhost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
        "GET /\r\nhost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nhost: a\r\n\r\n",
    ])
    .await;
}

#[tokio::test]
async fn targets_that_name_no_path_are_refused() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for (target, status) in [
        ("GET a", 400),
        ("GET a:80", 400),
        ("GET *", 400),
        ("GET http://", 400),
        ("GET http:///x", 400),
        ("CONNECT a:80", 405),
        ("CONNECT /", 405),
    ] {
        let head = format!("{target} HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(gateway.exchange(head).await.status(), status, "{target}");
    }
    assert!(server.requests().is_empty());
    let whole_server = "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(gateway.exchange(whole_server).await.status(), 200);
    assert_eq!(server.request().target(), "*");
}

#[tokio::test]
async fn whatever_a_method_is_called_its_request_is_one() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for method in [
        "get",
        "PRI",
        "TRACE",
        "PURGE",
        "M-SEARCH",
        "CONNEC",
        "X!#$%&'*+-.^_`|~1",
    ] {
        let length = HIDDEN.len();
        let head = format!("{method} /{method} HTTP/1.1\r\nhost: a\r\n");
        gateway
            .exchange(format!("{head}content-length: {length}\r\n\r\n{HIDDEN}"))
            .await;
    }
    for request in server.requests() {
        assert_ne!(request.target(), "/smuggled");
        assert_eq!(request.text(), HIDDEN, "{request:?}");
    }
}

#[tokio::test]
async fn the_authority_of_an_absolute_target_is_the_one_host_that_the_server_gets() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let head = "GET http://asked.example/path HTTP/1.1\r\nhost: other.example\r\n\r\n";
    assert_eq!(gateway.exchange(head).await.status(), 200);
    let request = server.request();
    assert_eq!(request.start_line(), "GET /path HTTP/1.1");
    assert_eq!(request.headers("host"), ["asked.example"]);
}

#[tokio::test]
async fn nothing_ambiguous_reaches_a_server_over_http2() {
    let server = Upstream::scripted(Peer::stall).await;
    let pool = Pool::of(&[&server]).with("protocol", "\"http2\"");
    let gateway = Gateway::before(pool).await;
    for head in [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\nhello",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n:path: /smuggled\r\nhost: a\r\n\r\n",
    ] {
        assert_eq!(gateway.exchange(head).await.status(), 400, "{head:?}");
    }
    gateway.settles().await;
    assert_eq!(server.connections(), 0, "nobody was asked for anything");
}
