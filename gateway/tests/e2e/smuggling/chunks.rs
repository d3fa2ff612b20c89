//! Chunked bodies and their trailers that two readers could understand
//! differently.

use super::{HIDDEN, attack};
use crate::support::{Gateway, Pool, Upstream};

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
async fn a_body_is_chunked_and_nothing_else_or_refused() {
    let chunked = [
        "Transfer-Encoding: CHUNKED",
        "tRANSFER-eNCODING: chunked",
        "transfer-encoding:chunked",
        "transfer-encoding: chunked ",
        "transfer-encoding: \tchunked\t",
        "transfer_encoding: chunked\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ntransfer-encoding: chunked",
    ];
    let others = [
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: identity, chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: ,chunked",
        "transfer-encoding: chunked;q=1",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding:",
    ];
    for framing in chunked.iter().chain(&others) {
        let server = Upstream::named("a").await;
        let gateway = Gateway::before(Pool::of(&[&server])).await;
        let mut client = gateway.connect().await;
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        client.send(format!("{head}5\r\nhello\r\n0\r\n\r\n")).await;
        let status = client.response().await.status();
        match chunked.contains(framing) {
            true => assert_eq!(status, 200, "{framing:?}"),
            false => assert!([400, 501].contains(&status), "{framing:?}: {status}"),
        }
        let requests = server.requests();
        assert_eq!(requests.len(), usize::from(status == 200), "{framing:?}");
        for request in requests {
            assert_eq!(
                request.headers("transfer-encoding"),
                ["chunked"],
                "{framing:?}"
            );
            assert_eq!((request.length(), request.text()), (None, "hello"));
        }
    }
}

#[tokio::test]
async fn of_chunks_the_server_gets_their_data_alone() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for chunks in [
        "5;name=value\r\nhello\r\n0;last\r\n\r\n",
        "5;name=\"quoted\"\r\nhello\r\n0\r\n\r\n",
        "00000005\r\nhello\r\n000\r\n\r\n",
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ] {
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let status = gateway.exchange([head, chunks].concat()).await.status();
        assert_eq!(status, 200, "{chunks:?}");
        // The server's reader takes a size alone for a chunk's line.
        assert_eq!(server.requests().pop().expect("a request").text(), "hello");
    }
}

#[tokio::test]
async fn chunk_extensions_hide_no_line() {
    for chunks in [
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5\rX\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        ";\r\nhello\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5h\r\nhello\r\n0\r\n\r\n",
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
async fn trailers_frame_nothing_and_are_not_taken_for_headers() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let trailers = "content-length: 50\r\ntransfer-encoding: chunked\r\nhost: b\r\n\
                    connection: x-sum\r\nauthorization: me\r\nx-sum: 1\r\n\r\n";
    let mut client = gateway.connect().await;
    client.send(format!("{head}0\r\n{trailers}")).await;
    assert_eq!(client.response().await.status(), 200);
    let request = server.request();
    assert_eq!(request.headers("host"), ["a"]);
    for name in [
        "content-length",
        "transfer-encoding",
        "host",
        "connection",
        "authorization",
    ] {
        assert_eq!(request.trailer(name), None, "{name}");
    }
    for trailers in [
        "x : y\r\n\r\n",
        "x\r\n\r\n",
        "x: a\rb\r\n\r\n",
        "x: a\r\n b\r\n\r\n",
    ] {
        let (status, hidden) = attack(&format!("{head}0\r\n{trailers}{HIDDEN}")).await;
        assert!(
            [0, 400].contains(&status) && !hidden,
            "{trailers:?} brings {status}"
        );
    }
}
