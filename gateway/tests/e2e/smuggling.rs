//! Requests that two readers could understand differently: they are refused,
//! or reach the server in one unambiguous form.

use crate::support::{Gateway, Pool, Upstream};

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
async fn transfer_encodings_other_than_chunked_are_refused() {
    for framing in [
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity",
        "transfer-encoding : chunked",
        "transfer-encoding: gzip",
        " transfer-encoding: chunked",
        "transfer-encoding: chunked\x0b",
        "transfer\0-encoding: chunked",
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n0\r\n\r\n{HIDDEN}");
        assert_eq!(attack(&bytes).await, (400, false), "{framing:?}");
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
async fn malformed_chunks_end_the_request() {
    for chunks in [
        "5\nhello\n0\n\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
        "3\r\nhello\r\n0\r\n\r\n",
    ] {
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let (status, hidden) = attack(&format!("{head}{chunks}{HIDDEN}")).await;
        assert!(
            [0, 400].contains(&status) && !hidden,
            "{chunks:?} brings {status}"
        );
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
