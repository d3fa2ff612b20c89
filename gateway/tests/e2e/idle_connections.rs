//! Connections to servers that are kept for the next request, and what servers
//! do on them meanwhile.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::support::{Gateway, Pool, Upstream, eventually, plain, soon};

/// A request that must not be sent twice.
const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";

#[tokio::test]
async fn connections_that_a_server_closes_while_idle_cost_no_request() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send(plain("and goodbye")).await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("retries", "{ attempts = 1 }")).await;
    for _ in 0..50 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
}

#[tokio::test]
async fn no_post_is_sent_on_a_connection_that_its_server_closed_while_it_was_idle() {
    let closed = Arc::new(Semaphore::new(0));
    let closing = Arc::clone(&closed);
    let server = Upstream::scripted(move |mut peer| {
        let closing = Arc::clone(&closing);
        async move {
            peer.request().await;
            peer.send(plain("and goodbye")).await;
            drop(peer);
            closing.add_permits(1);
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for _ in 0..20 {
        assert_eq!(gateway.exchange(POST).await.status(), 200);
        let is_closed = soon("the server closes", closed.acquire()).await;
        is_closed.expect("it is open").forget();
    }
    assert_eq!(server.connections(), 20);
}

#[tokio::test]
async fn a_post_whose_idle_connection_closes_as_it_is_sent_is_a_502_and_not_repeated() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send(plain("first")).await;
        peer.request().await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    assert_eq!(gateway.exchange(POST).await.text(), "first");
    assert_eq!(gateway.exchange(POST).await.status(), 502);
    assert_eq!(server.requests().len(), 2);
    // What has no effect is asked again, over a new connection.
    assert_eq!(gateway.get("/").await.text(), "first");
    assert_eq!(gateway.get("/").await.text(), "first");
    assert_eq!((server.requests().len(), server.connections()), (5, 3));
}

#[tokio::test]
async fn connections_on_which_a_server_speaks_while_idle_are_given_up() {
    let server = Upstream::scripted(|mut peer| async move {
        while peer.request().await.is_some() {
            peer.send(plain("asked")).await;
            tokio::task::yield_now().await;
            peer.send("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    assert_eq!(gateway.get("/").await.text(), "asked");
    eventually("what was said unasked has come", async || {
        gateway.get("/").await.text() == "asked" && server.connections() > 1
    })
    .await;
}

#[tokio::test]
async fn a_server_that_says_close_is_not_asked_again_on_that_connection() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".into()
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
    assert_eq!(server.connections(), 3);
}
