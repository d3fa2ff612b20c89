//! Pools that compress: for clients that accept it, what is worth it, as it comes.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;

use crate::support::{
    Builder, Client, Gateway, Message, Peer, Pool, Upstream, empty, eventually, get, soon,
};

/// A body that is worth it.
fn page() -> String {
    (0..400)
        .map(|number| format!("<p>line {number}</p>\n"))
        .collect()
}

/// A server that answers with the headers that a request names in `x-answer`.
async fn compressing(rules: &str) -> (Upstream, Gateway) {
    let server = Upstream::answering(|request: &Message| {
        let lines = request
            .header("x-answer")
            .unwrap_or("Content-Type: text/html");
        let (status, lines) = lines
            .split_once("|")
            .filter(|(status, _)| !status.contains(':'))
            .unwrap_or(("200 OK", lines));
        let headers = lines.replace('|', "\r\n");
        let body = page();
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{body}")
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("compression", rules)).await;
    (server, gateway)
}

fn asking(accept: &str, answer: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {accept}\r\nX-Answer: {answer}\r\n\r\n"
    )
}

/// What the coding's own program makes of bytes, which is no part of the gateway; none
/// where it is not there, as not every machine has every one.
async fn decoded(coding: &'static str, bytes: &[u8]) -> Option<Vec<u8>> {
    let program = match coding {
        "br" => "brotli",
        same => same,
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("it is written");
    let decoding = tokio::task::spawn_blocking(move || {
        let input = std::fs::File::open(file.path()).expect("it is there");
        Command::new(program).arg("-dc").stdin(input).output().ok()
    });
    let output = decoding.await.expect("no panic")?;
    assert!(output.status.success(), "{coding}");
    Some(output.stdout)
}

#[tokio::test]
async fn each_coding_is_what_its_own_program_reads() {
    let (_server, gateway) = compressing("true").await;
    for coding in ["gzip", "zstd", "br"] {
        let response = gateway
            .exchange(asking(coding, "Content-Type: text/html"))
            .await;
        assert_eq!(response.header("content-encoding"), Some(coding));
        assert_eq!(response.header("vary"), Some("Accept-Encoding"));
        assert!(response.is_chunked(), "{response:?}");
        assert!(
            response.body.len() < page().len() / 4,
            "{}",
            response.body.len()
        );
        if let Some(decoded) = decoded(coding, &response.body).await {
            assert_eq!(decoded, page().as_bytes(), "{coding}");
        }
    }
}

#[tokio::test]
async fn curl_reads_what_it_asked_for() {
    let (_server, gateway) = compressing("true").await;
    let url = format!("http://{}/", gateway.address());
    let asking = tokio::task::spawn_blocking(move || {
        Command::new("curl")
            .args(["-s", "--compressed", &url])
            .output()
    });
    let output = asking.await.expect("no panic").expect("curl is there");
    assert_eq!(String::from_utf8(output.stdout).expect("text"), page());
}

#[tokio::test]
async fn only_what_may_be_and_is_worth_it_is_compressed() {
    let (_server, gateway) = compressing("true").await;
    for (accept, answer, is_compressed, varies) in [
        ("gzip", "Content-Type: text/html; charset=utf-8", true, true),
        ("gzip", "Content-Type: application/json", true, true),
        ("gzip", "Content-Type: application/problem+json", true, true),
        ("gzip", "404 X|Content-Type: text/html", true, true),
        ("gzip", "Content-Type: text/html|ETag: \"a\"", true, true),
        ("identity", "Content-Type: text/html", false, true),
        ("gzip;q=0", "Content-Type: text/html", false, true),
        ("deflate", "Content-Type: text/html", false, true),
        ("gzip", "Content-Type: image/png", false, false),
        ("gzip", "X-A: b", false, false),
        ("gzip", "Content-Type: text/event-stream", false, false),
        ("gzip", "Content-Type: application/grpc", false, false),
        (
            "gzip",
            "Content-Type: text/html|Content-Encoding: x",
            false,
            false,
        ),
        (
            "gzip",
            "Content-Type: text/html|Cache-Control: public, no-transform",
            false,
            false,
        ),
        (
            "gzip",
            "Content-Type: text/html|Content-MD5: x",
            false,
            false,
        ),
        (
            "gzip",
            "Content-Type: text/html|Repr-Digest: x",
            false,
            false,
        ),
        (
            "gzip",
            "206 X|Content-Type: text/html|Content-Range: bytes 0-9/99",
            false,
            false,
        ),
    ] {
        let response = gateway.exchange(asking(accept, answer)).await;
        let coding = response
            .header("content-encoding")
            .filter(|coding| *coding != "x");
        assert_eq!(coding.is_some(), is_compressed, "{accept}, {answer}");
        assert_eq!(
            response.header("vary").is_some(),
            varies,
            "{accept}, {answer}"
        );
        assert_eq!(
            response.length().is_none(),
            is_compressed,
            "{accept}, {answer}"
        );
        let tag = response.header("etag");
        assert_eq!(
            tag,
            answer.contains("ETag").then_some("W/\"a\""),
            "{accept}, {answer}"
        );
    }
}

#[tokio::test]
async fn what_is_small_stays_as_it_is() {
    let (_server, gateway) = compressing("{ min_size = \"1MiB\" }").await;
    let response = gateway
        .exchange(asking("gzip", "Content-Type: text/html"))
        .await;
    assert_eq!(response.header("content-encoding"), None);
    assert_eq!(response.text(), page());
}

#[tokio::test]
async fn a_head_says_what_a_get_would() {
    let (_server, gateway) = compressing("true").await;
    let mut wire = gateway.connect().await;
    let request = asking("gzip", "Content-Type: text/html|ETag: \"a\"");
    wire.send(request.replace("GET", "HEAD")).await;
    let head = wire.response_to_head().await;
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert_eq!(head.header("vary"), Some("Accept-Encoding"));
    assert_eq!(head.header("etag"), Some("W/\"a\""));
    assert_eq!(head.length(), None);
}

#[tokio::test]
async fn what_comes_slowly_goes_on_at_once() {
    let server = Upstream::scripted(|mut peer: Peer| async move {
        while peer.request().await.is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: x-end\r\n\r\n").await;
            peer.send_chunk(b"the first part").await;
            peer.resumed().await;
            peer.send_chunk(b", the second").await;
            peer.send("0\r\nX-End: yes\r\n\r\n").await;
        }
    })
    .await;
    let builder = Builder::new().tls("self_signed = true");
    let pool = Pool::of(&[&server]).with("compression", "true");
    let gateway = builder.pool(pool).start().await;
    for coding in ["gzip", "zstd", "br"] {
        let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
        let request = Request::get("https://localhost/").header("accept-encoding", coding);
        let response = client.send(request.body(empty()).expect("a request")).await;
        let (head, mut body) = response.expect("a response").into_parts();
        assert_eq!(head.headers["content-encoding"], coding);
        // What comes before the server goes on is what a decoder makes the first part of.
        let mut come = Vec::new();
        while come.len() < 14 {
            let frame = soon("a piece", body.frame()).await;
            let frame = frame.expect("a frame").expect("no error");
            come.extend_from_slice(&frame.into_data().expect("data"));
        }
        server.resume();
        let collected = body.collect();
        let rest = soon("the rest", collected).await.expect("a body");
        assert_eq!(rest.trailers().expect("trailers")["x-end"], "yes");
        come.extend_from_slice(&rest.to_bytes());
        if let Some(decoded) = decoded(coding, &come).await {
            assert_eq!(decoded, b"the first part, the second", "{coding}");
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_server_up() {
    const PIECES: usize = 4000;
    let sent = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&sent);
    let server = Upstream::scripted(move |mut peer: Peer| {
        let count = Arc::clone(&count);
        async move {
            peer.request().await;
            peer.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n",
            )
            .await;
            let mut random = 1u64;
            for _ in 0..PIECES {
                // What cannot be made much smaller.
                let piece: Vec<u8> = std::iter::repeat_with(|| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random as u8
                })
                .take(16_384)
                .collect();
                if peer
                    .try_send(
                        [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat(),
                    )
                    .await
                    .is_err()
                {
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            peer.send("0\r\n\r\n").await;
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("compression", "true")).await;
    let mut wire = gateway.connect_narrow(16_384).await;
    wire.send(get("/").replace("\r\n\r\n", "\r\nAccept-Encoding: gzip\r\n\r\n"))
        .await;
    wire.head().await.expect("a head");
    // It has come to a stop once nothing has been sent for a while.
    let mut before = usize::MAX;
    eventually("it stands still", async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = sent.load(Ordering::Relaxed);
        std::mem::replace(&mut before, now) == now
    })
    .await;
    assert!(before < PIECES / 2, "{before}");
}

#[tokio::test]
async fn beyond_what_a_worker_compresses_at_once_answers_go_as_they_are() {
    const MOST: usize = 128;
    let server = Upstream::scripted(|mut peer: Peer| async move {
        peer.request().await;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"a\"\r\n";
        peer.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
            .await;
        peer.send_chunk(b"a part").await;
        peer.stall().await;
    })
    .await;
    let pool = Pool::of(&[&server]).with("compression", "true");
    let gateway = Builder::new().workers(1).pool(pool).start().await;
    let asked = async || {
        let mut wire = gateway.connect().await;
        wire.send(get("/").replace("\r\n\r\n", "\r\nAccept-Encoding: gzip\r\n\r\n"))
            .await;
        let head = wire.response_to_head().await;
        (head, wire)
    };
    let mut clients = Vec::new();
    for number in 0..MOST + 5 {
        let (head, client) = asked().await;
        clients.push(client);
        let (coding, tag) = match number < MOST {
            true => (Some("gzip"), "W/\"a\""),
            false => (None, "\"a\""),
        };
        assert_eq!(head.header("content-encoding"), coding, "{number}");
        assert_eq!(head.header("etag"), Some(tag), "{number}");
        assert_eq!(head.header("vary"), Some("Accept-Encoding"), "{number}");
    }
    assert_eq!(gateway.metric("gatewright_uncompressed_total").await, 5.0);
    drop(clients);
    eventually("there is room again", async || {
        let (head, _client) = asked().await;
        head.header("content-encoding").is_some()
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_is_compressed_for_each_client() {
    let server = Upstream::answering(|_| {
        let body = page();
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\nETag: \"a\"\r\nContent-Length: {length}\r\n\r\n{body}")
    })
    .await;
    let pool = Pool::of(&[&server])
        .with("compression", "true")
        .with("cache", "true");
    let gateway = Gateway::before(pool).await;
    for coding in ["zstd", "gzip", "br", "gzip", "identity"] {
        let response = gateway.exchange(asking(coding, "x")).await;
        let said = response.header("content-encoding").unwrap_or("identity");
        assert_eq!(said, coding);
        if coding == "identity" {
            assert_eq!(response.text(), page());
        }
    }
    let request = asking("gzip", "x").replace("X-Answer: x", "If-None-Match: W/\"a\"");
    let response = gateway.exchange(request).await;
    assert_eq!(
        (response.status(), response.header("etag")),
        (304, Some("W/\"a\""))
    );
    assert_eq!(server.requests().len(), 1);
}
