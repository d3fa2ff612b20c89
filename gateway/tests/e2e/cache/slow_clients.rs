//! What is to be kept for all and comes or goes slowly, and the room that it has.

use super::said;
use crate::support::{Builder, Gateway, Peer, Pool, Upstream, Wire, eventually, get};

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

/// Ask for an answer of so many bytes which does not come, and has its room.
async fn hold(gateway: &Gateway, length: u64) -> Wire {
    let mut wire = gateway.connect().await;
    wire.send(get(&format!("/{length}"))).await;
    let head = wire.response_to_head().await;
    assert_eq!(said(&head), "gatewright; fwd=uri-miss; stored", "{length}");
    wire
}

#[tokio::test]
async fn an_answer_that_came_with_its_head_needs_no_room() {
    const MEMORY: u64 = 1 << 20;
    const MUCH: u64 = 65_400;
    let server = Upstream::scripted(|mut peer: Peer| async move {
        while let Some(request) = peer.request().await {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: ";
            let length = request.target().trim_start_matches('/');
            if length == "whole" {
                peer.send(format!("{head}5\r\n\r\nwhole")).await;
            } else {
                peer.send(format!("{head}{length}\r\n\r\n")).await;
                peer.resumed().await;
            }
        }
    })
    .await;
    let pool = Pool::of(&[&server]).with("cache", "{ max_object = \"64KiB\" }");
    let builder = Builder::new().with("[cache]\nmemory = \"1MiB\"");
    let gateway = builder.pool(pool).start().await;
    let taken = async || {
        let bytes = gateway.api("/api/cache").await["bytes"].as_u64();
        bytes.expect("a number")
    };
    let first = hold(&gateway, MUCH).await;
    let each = taken().await;
    // As much as is left but for some bytes: no other answer has room any more.
    let left = MEMORY / 8 - each;
    let weight = each - MUCH;
    let second = hold(&gateway, left - weight - 16).await;
    assert!(taken().await + weight > MEMORY / 8);
    assert_eq!(gateway.get("/whole").await.text(), "whole");
    let kept = gateway.get("/whole").await;
    assert!(said(&kept).starts_with("gatewright; hit"), "{kept:?}");
    drop((first, second));
}
