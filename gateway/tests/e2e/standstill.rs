//! Clients that stand still until their servers tire of it: that says nothing of
//! the servers.

use std::time::Duration;

use tokio::time::timeout;

use crate::support::{Gateway, Message, Peer, Pool, Upstream, eventually, get};

/// How long a server waits for its client.
const PATIENCE: Duration = Duration::from_secs(2);

/// More than lies between a server and a client that reads nothing.
const BIG: usize = 64 << 20;

/// A server that resets the connection when its answer does not go out, closes it
/// when no whole request comes, and at `/breaks` breaks off without cause.
async fn impatient() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        match timeout(PATIENCE, peer.request()).await {
            Err(_) | Ok(None) => {}
            Ok(Some(request)) if request.target() == "/breaks" => {
                peer.send(head()).await;
                peer.reset();
            }
            Ok(Some(_)) => answer(peer).await,
        }
    })
    .await
}

fn head() -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {BIG}\r\n\r\nbegun")
}

async fn answer(mut peer: Peer) {
    peer.send(head()).await;
    let piece = vec![b'x'; 64 << 10];
    while let Ok(Ok(())) = timeout(PATIENCE, peer.try_send(&piece)).await {}
    // What a test is told by.
    peer.note(Message::default());
    peer.reset();
}

/// A gateway that asks a server no more after the first failure.
async fn before(servers: &[&Upstream]) -> Gateway {
    let pool = Pool::of(servers).with("retries", "{ attempts = 1 }").with(
        "breaker",
        "{ fail_threshold = 1, open_time = \"1h\", max_open_time = \"1h\" }",
    );
    Gateway::before(pool).await
}

async fn open(gateway: &Gateway) -> usize {
    let servers = gateway.servers().await;
    let open = servers.iter().filter(|one| one["circuit"] == "open");
    open.count()
}

#[tokio::test]
async fn a_server_that_resets_an_answer_that_its_client_does_not_take_is_not_blamed() {
    let [a, b] = [impatient().await, impatient().await];
    let gateway = before(&[&a, &b]).await;
    let mut client = gateway.connect_narrow(512 << 10).await;
    client.send(get("/")).await;
    client.head().await.expect("a response");
    eventually("the server has tired of it", async || {
        a.requests().len() + b.requests().len() == 2
    })
    .await;
    assert_eq!(gateway.active().await, 1, "the gateway has not noticed");
    assert!(client.rest().await.len() < BIG);
    gateway.settles().await;
    assert_eq!(open(&gateway).await, 0);
    let mut client = gateway.connect().await;
    client.send(get("/breaks")).await;
    assert!(client.rest().await.len() < BIG);
    gateway.settles().await;
    assert_eq!(open(&gateway).await, 1, "that was its own doing");
}

#[tokio::test]
async fn a_server_that_closes_on_a_body_that_does_not_come_is_not_blamed() {
    let [a, b] = [impatient().await, impatient().await];
    let gateway = before(&[&a, &b]).await;
    let half = "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    let told = gateway.exchange(half).await;
    assert_eq!(told.status(), 408, "{}", told.text());
    assert_eq!(open(&gateway).await, 0);
    let failures = gateway.metric("gatewright_server_failures_total").await;
    assert_eq!(failures, 0.0);
}
