//! Clients that take slowly what is to be kept for all.

use super::said;
use crate::support::{Builder, Pool, Upstream, eventually, get};

#[tokio::test]
async fn a_client_that_takes_nothing_holds_up_neither_room_nor_others() {
    // More than lies between the gateway and a client that reads nothing.
    const BIG: usize = 16 << 20;
    let server = Upstream::answering(|_| {
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60";
        let body = "x".repeat(BIG);
        format!("{head}\r\nContent-Length: {BIG}\r\n\r\n{body}")
    })
    .await;
    let pool = Pool::of(&[&server]).with("cache", "{ max_object = \"32MiB\", wait = \"60s\" }");
    let builder = Builder::new().with("[cache]\nmemory = \"512MiB\"");
    let gateway = builder.pool(pool).start().await;
    let mut slow = gateway.connect_narrow(64 << 10).await;
    slow.send(get("/")).await;
    slow.head().await.expect("a head");
    let bytes = gateway.api("/api/cache").await["bytes"].as_u64();
    assert!(bytes >= Some(BIG as u64), "it has room: {bytes:?}");
    // Sent in its place, since the time of the first is over long before `wait` is.
    let second = gateway.get("/").await;
    assert_eq!(said(&second), "gatewright; fwd=uri-miss; stored");
    assert_eq!(second.body.len(), BIG);
    eventually("it is kept", async || {
        said(&gateway.get("/").await).starts_with("gatewright; hit")
    })
    .await;
    assert_eq!(server.requests().len(), 2);
    let bytes = gateway.api("/api/cache").await["bytes"].as_u64();
    assert!(bytes < Some(2 * BIG as u64), "its room is free: {bytes:?}");
    // Its own answer is whole all the same.
    assert_eq!(slow.bytes(BIG).await.len(), BIG);
}
