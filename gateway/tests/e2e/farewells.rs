//! How long clients are listened to after the last that they are told.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::support::http2::{self, PREFACE, settings};
use crate::support::{Gateway, Pool, Upstream, Wire, eventually, get, plain, soon, within};

/// The room of clients that read little.
const NARROW: u32 = 4 << 10;

/// An answer for them: it lies in the systems' memory, most of it on the gateway's side.
const ANSWER: usize = 40 << 10;

/// What is read of it at once, and how long after the piece before: slowly enough that
/// some is left when a standstill would have been over.
const PIECE: usize = 2 << 10;
const PACE: Duration = Duration::from_millis(500);
const PIECES: usize = 14;

/// A standstill is given up after 5 s, and this is for a machine that is busy.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// A gateway that refuses uploads, and has long to drain, with its server.
async fn before_answers() -> (Gateway, Upstream) {
    let server = Upstream::answering(|_| plain(&"x".repeat(ANSWER))).await;
    let builder = Gateway::builder()
        .with("[timeouts]\ndrain = \"10m\"\n[limits]\nrequest_body = \"1KiB\"")
        .pool(Pool::of(&[&server]));
    (builder.start().await, server)
}

/// A client that has sent this, by which an answer is asked for, and reads nothing.
async fn asking(gateway: &Gateway, server: &Upstream, request: impl AsRef<[u8]>) -> Wire {
    let mut client = gateway.connect_narrow(NARROW).await;
    client.send(request).await;
    eventually("it was asked", async || !server.requests().is_empty()).await;
    gateway.settles().await;
    client
}

/// A client whose upload is refused, behind an answer of which it has read nothing.
async fn refused(gateway: &Gateway, server: &Upstream) -> Wire {
    let mut client = asking(gateway, server, get("/")).await;
    client
        .send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n")
        .await;
    client
}

async fn has_no_clients(gateway: &Gateway) -> bool {
    gateway.metric("gatewright_connections").await == 0.0
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go_long_before_a_drain_would_be_over() {
    let (gateway, server) = before_answers().await;
    let _client = refused(&gateway, &server).await;
    within(GIVEN_UP, "it is let go", async || {
        has_no_clients(&gateway).await
    })
    .await;
}

#[tokio::test]
async fn a_client_that_takes_its_answers_slowly_and_sends_on_has_them_whole() {
    let (gateway, server) = before_answers().await;
    let mut client = refused(&gateway, &server).await;
    client.head().await.expect("an answer");
    for _ in 0..PIECES {
        tokio::time::sleep(PACE).await;
        // After a reset the next would fail.
        client.send([b'x'; 100]).await;
        assert_eq!(client.bytes(PIECE).await.len(), PIECE);
    }
    let rest = ANSWER - PIECES * PIECE;
    assert_eq!(client.bytes(rest).await.len(), rest);
    let refusal = client.response().await;
    assert_eq!((refusal.status(), refusal.is_whole), (413, true));
}

#[tokio::test]
async fn a_client_that_breaks_http2_is_let_go_though_it_goes_on_taking() {
    let (gateway, server) = before_answers().await;
    let request = [PREFACE, &settings(&[]), &http2::get(1, "/")].concat();
    let mut client = asking(&gateway, &server, request).await;
    // There is no such stream (RFC 9113 §6.1).
    client.send(http2::data(0, b"x")).await;
    let taking = async {
        let mut piece = [0; PIECE];
        for _ in 0..ANSWER / PIECE {
            tokio::time::sleep(PACE).await;
            // Where it is let go, that may be by a reset.
            let _ = soon("a piece", client.stream.read(&mut piece)).await;
        }
    };
    tokio::select! {
        () = taking => panic!("it was listened to until it had all"),
        () = eventually("it is let go", async || has_no_clients(&gateway).await) => {}
    }
}
