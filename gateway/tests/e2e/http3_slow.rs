//! HTTP/3 clients that take their responses slowly or not at all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use h3::error::{Code, StreamError};
use tokio::sync::Semaphore;

use crate::support::http3::{dial, dialling, get, head, room};
use crate::support::{Builder, Gateway, Http3, Pool, Road, Upstream, eventually, plain, soon};

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;

/// A response most of which waits for its client.
const MEDIUM: usize = 512 << 10;

/// A server with responses of three sizes, and a gateway before it.
async fn before_much() -> (Gateway, Upstream) {
    let server = Upstream::answering(|request| match request.target() {
        "/big" => plain(&"x".repeat(1 << 20)),
        "/medium" => plain(&"x".repeat(MEDIUM)),
        _ => plain("small"),
    })
    .await;
    (before(&server, "").await, server)
}

/// A gateway that waits a second for a body to move, and some other time for more.
async fn before(server: &Upstream, times: &str) -> Gateway {
    let builder = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .with(&format!("[timeouts]\nbody_idle = \"1s\"\n{times}"));
    builder.pool(Pool::of(&[server])).start().await
}

/// A server whose responses of a mebibyte wait for the gate.
async fn behind(gate: &Arc<Semaphore>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::scripted(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            peer.request().await;
            let _pass = gate.acquire().await;
            let _ = peer.try_send(plain(&"x".repeat(1 << 20))).await;
        }
    })
    .await
}

/// Ask for this many responses at once, let them come, and see the gateway give
/// them up without having kept more of them than 20 MiB.
async fn little_is_kept(
    gateway: &Gateway,
    server: &Upstream,
    client: &mut Http3,
    count: usize,
    gate: &Semaphore,
    then: impl FnOnce(),
) {
    let mut asked = Vec::new();
    for _ in 0..count {
        let mut stream = client.begin(get("/")).await.expect("a stream");
        stream.finish().await.expect("it ends");
        asked.push(stream);
    }
    eventually("all are in flight", async || {
        server.requests().len() == count
    })
    .await;
    then();
    let before = gateway.memory();
    gate.add_permits(count);
    let mut most = before;
    eventually("the gateway gives up", async || {
        most = most.max(gateway.memory());
        gateway.active().await == 0
    })
    .await;
    assert!(most < before + (20 << 20), "{} KiB", (most - before) >> 10);
    gateway.settles().await;
}

#[tokio::test]
async fn a_response_that_its_client_does_not_take_is_reset_alone() {
    let (gateway, _server) = before_much().await;
    let mut client = Http3::with_room(gateway.tls_address(), 16 * KIB, 16 * MIB).await;
    let mut big = client.begin(get("/big")).await.expect("a stream");
    big.finish().await.expect("it ends");
    let response = soon("a head", big.recv_response()).await;
    assert_eq!(response.expect("a head").status(), 200);
    gateway.settles().await;
    assert_eq!(client.get("/").await.body(), "small");
    let reset = loop {
        match soon("an end", big.recv_data()).await {
            Ok(piece) => assert!(piece.is_some(), "it is not whole"),
            Err(error) => break error,
        }
    };
    let is_reset = matches!(
        &reset,
        StreamError::RemoteTerminate { code, .. } if *code == Code::H3_REQUEST_CANCELLED
    );
    assert!(is_reset, "{reset:?}");
}

#[tokio::test]
async fn a_response_that_its_client_takes_slowly_arrives_whole() {
    const PIECE: usize = 16 << 10;
    let (gateway, _server) = before_much().await;
    let mut client = Http3::with_room(gateway.tls_address(), 16 * KIB, 16 * MIB).await;
    let mut medium = client.begin(get("/medium")).await.expect("a stream");
    medium.finish().await.expect("it ends");
    let response = soon("a head", medium.recv_response()).await;
    assert_eq!(response.expect("a head").status(), 200);
    let mut received = 0;
    while let Some(piece) = soon("a piece", medium.recv_data()).await.expect("no reset") {
        let next = received + piece.remaining();
        if next / PIECE > received / PIECE {
            // Together more than twice what a body may stand still.
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        received = next;
    }
    assert_eq!(received, MEDIUM);
}

#[tokio::test]
async fn a_client_with_many_streams_that_reads_none_costs_little_memory() {
    let gate = Arc::new(Semaphore::new(0));
    let server = behind(&gate).await;
    let gateway = before(&server, "").await;
    let mut client = Http3::with_room(gateway.tls_address(), 16 * KIB, 64 * MIB).await;
    little_is_kept(&gateway, &server, &mut client, 100, &gate, || {}).await;
}

#[tokio::test]
async fn a_client_that_falls_silent_before_many_responses_costs_little_memory() {
    let gate = Arc::new(Semaphore::new(0));
    let server = behind(&gate).await;
    let gateway = before(&server, "").await;
    let road = Road::to(gateway.tls_address()).await;
    // It allows everything to be sent, and then acknowledges none of it.
    let mut client = Http3::with_room(road.address(), 16 * MIB, 1024 * MIB).await;
    let falls_silent = || road.becomes_one_way();
    little_is_kept(&gateway, &server, &mut client, 100, &gate, falls_silent).await;
}

#[tokio::test]
async fn a_client_that_does_not_even_take_the_farewell_is_let_go() {
    let server = Upstream::named("a").await;
    let gateway = before(&server, "idle = \"1s\"").await;
    // How much the gateway says before it is asked anything.
    let first = dialling(None, room(MIB, MIB));
    let first = soon("a handshake", dial(&first, gateway.tls_address())).await;
    let first = first.expect("a connection");
    let mut said = 0;
    while said == 0 {
        let mut stream = soon("a stream", first.accept_uni())
            .await
            .expect("a stream");
        let chunk = soon("a beginning", stream.read_chunk(1024, true)).await;
        let chunk = chunk.expect("no reset").expect("no end").bytes;
        // The stream for control begins with its type.
        if chunk.first() == Some(&0) {
            said = chunk.len();
        }
    }
    // Room for just that on each stream: not for GOAWAY.
    let narrow = dialling(None, room(u32::try_from(said).expect("a few"), MIB));
    let narrow = soon("a handshake", dial(&narrow, gateway.tls_address())).await;
    let narrow = narrow.expect("a connection");
    let (mut sending, mut receiving) = narrow.open_bi().await.expect("a stream");
    let request = head(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "localhost"),
    ]);
    sending.write_all(&request).await.expect("it goes");
    sending.finish().expect("it ends");
    let read = soon("an answer", receiving.read_to_end(4096)).await;
    assert!(read.is_ok(), "{read:?}");
    soon("the end", narrow.closed()).await;
    eventually("nobody is connected", async || {
        gateway.metric("gatewright_connections").await == 0.0
    })
    .await;
}
