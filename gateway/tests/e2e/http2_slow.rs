//! HTTP/2 clients that take their responses slowly or not at all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::Request;
use tokio::sync::Semaphore;

use crate::support::{
    Builder, Gateway, Pool, Upstream, connect_tls, eventually, http2_by_hand, plain, soon,
};

/// The largest frame.
const FRAME: usize = 16 << 10;

/// A response most of which waits for its client's window.
const MEDIUM: usize = 32 * FRAME;

/// A server with responses of two sizes, and a gateway before it.
async fn before_much() -> (Gateway, Upstream) {
    let server = Upstream::answering(|request| match request.target() {
        "/big" => plain(&"x".repeat(1 << 20)),
        "/medium" => plain(&"x".repeat(MEDIUM)),
        _ => plain("small"),
    })
    .await;
    (before(&server).await, server)
}

/// A gateway that waits a second for a body to move.
async fn before(server: &Upstream) -> Gateway {
    let builder = Builder::new()
        .tls("self_signed = true")
        .with("[timeouts]\nbody_idle = \"1s\"");
    builder.pool(Pool::of(&[server])).start().await
}

/// Ask by hand for a path; the response's head must come.
async fn ask_by_hand(sender: &SendRequest<Bytes>, path: &str) -> RecvStream {
    let mut sender = sender.clone().ready().await.expect("room for a stream");
    let request = Request::get(format!("https://localhost{path}")).body(());
    let (response, _) = sender
        .send_request(request.expect("a request"), true)
        .expect("a stream");
    let response = soon("a response", response).await.expect("a response");
    response.into_body()
}

#[tokio::test]
async fn a_response_that_its_client_does_not_take_is_reset_alone() {
    let (gateway, _server) = before_much().await;
    let sender = http2_by_hand(gateway.tls_address()).await;
    let mut big = ask_by_hand(&sender, "/big").await;
    eventually("it is in flight", async || gateway.active().await == 1).await;
    gateway.settles().await;
    let mut small = ask_by_hand(&sender, "/").await;
    let small = soon("a body", small.data()).await.expect("a piece");
    assert_eq!(small.expect("no reset"), "small");
    let reset = loop {
        match soon("an end", big.data()).await.expect("no whole body") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(reset.reason(), Some(Reason::CANCEL));
}

#[tokio::test]
async fn a_response_that_its_client_takes_slowly_arrives_whole() {
    let (gateway, _server) = before_much().await;
    let sender = http2_by_hand(gateway.tls_address()).await;
    let mut medium = ask_by_hand(&sender, "/medium").await;
    let mut received = 0;
    while let Some(piece) = soon("a piece", medium.data()).await {
        let piece = piece.expect("no reset").len();
        let flow = medium.flow_control();
        flow.release_capacity(piece).expect("it was taken");
        if (received + piece) / FRAME > received / FRAME {
            // Together more than twice what a body may stand still.
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        received += piece;
    }
    assert_eq!(received, MEDIUM);
    gateway.settles().await;
}

#[tokio::test]
async fn a_client_with_many_streams_that_reads_nothing_costs_little_memory() {
    const STREAMS: usize = 100;
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let server = Upstream::scripted(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            peer.request().await;
            let _pass = gate.acquire().await;
            let _ = peer.try_send(plain(&"x".repeat(1 << 20))).await;
        }
    })
    .await;
    let gateway = before(&server).await;
    let stream = connect_tls(gateway.tls_address(), "localhost", &["h2"]).await;
    // It allows everything to be sent, and then takes none of it.
    let handshake = h2::client::Builder::new()
        .initial_window_size(1 << 24)
        .initial_connection_window_size(1 << 30)
        .handshake::<_, Bytes>(stream);
    let (sender, mut connection) = soon("a handshake", handshake).await.expect("a handshake");
    let mut sender = sender.ready().await.expect("room for a stream");
    let ask = || {
        Request::get("https://localhost/")
            .body(())
            .expect("a request")
    };
    let mut asked = Vec::new();
    let asking = async {
        for _ in 0..STREAMS {
            asked.push(sender.send_request(ask(), true).expect("a stream"));
        }
        eventually("all are in flight", async || {
            server.requests().len() == STREAMS
        })
        .await;
    };
    tokio::select! {
        () = asking => {}
        ended = &mut connection => panic!("the connection ended: {ended:?}"),
    }
    let before = gateway.memory();
    opened.add_permits(STREAMS);
    let mut most = before;
    eventually("the gateway gives up", async || {
        most = most.max(gateway.memory());
        gateway.active().await == 0
    })
    .await;
    assert!(most < before + (20 << 20), "{} KiB", (most - before) >> 10);
}
