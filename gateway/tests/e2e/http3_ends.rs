//! The end of HTTP/3 connections: draining, upgrades, and clients that fall
//! silent.

use crate::support::http3::{answer, get};
use crate::support::{Builder, Gateway, Http3, Pool, Upstream, eventually, runs};

fn before(server: &Upstream) -> Builder {
    Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[server]))
}

/// A server that sends half of its response at once and the rest when told.
async fn in_two_halves() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
            .await;
        peer.resumed().await;
        peer.send("world").await;
        peer.stall().await;
    })
    .await
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_gateway_ends() {
    let server = in_two_halves().await;
    let gateway = before(&server).start().await;
    let mut client = Http3::to(&gateway).await;
    let mut stream = client.begin(get("/")).await.expect("a stream");
    stream.finish().await.expect("it ends");
    eventually("it is in flight", async || gateway.active().await == 1).await;
    gateway.terminate();
    eventually("new clients are refused", async || {
        Http3::showing(gateway.tls_address(), None).await.is_err()
    })
    .await;
    server.resume();
    let response = answer(&mut stream).await.expect("an answer");
    assert_eq!(response.body(), "helloworld");
    let end = client.closed().await;
    assert!(end.is_h3_no_error(), "{end:?}");
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_request_without_an_answer_is_refused_when_the_time_to_drain_is_over() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.stall().await;
    })
    .await;
    let drain = "[timeouts]\ndrain = \"200ms\"";
    let gateway = before(&server).with(drain).start().await;
    let mut client = Http3::to(&gateway).await;
    let mut stream = client.begin(get("/")).await.expect("a stream");
    stream.finish().await.expect("it ends");
    eventually("it is in flight", async || gateway.active().await == 1).await;
    gateway.terminate();
    let refused = answer(&mut stream).await.expect("an answer");
    assert_eq!(refused.status(), 503);
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn connections_outlive_an_upgrade_as_long_as_they_have_something_to_finish() {
    let server = in_two_halves().await;
    let mut gateway = before(&server).workers(2).start().await;
    let mut client = Http3::to(&gateway).await;
    let mut stream = client.begin(get("/")).await.expect("a stream");
    stream.finish().await.expect("it ends");
    eventually("it is in flight", async || gateway.active().await == 1).await;
    let first = gateway.id();
    gateway.upgrade().await;
    assert!(runs(first), "it has a request to finish");
    // New clients are the new process's, on the same port.
    let other = Http3::to(&gateway).await;
    client.move_on();
    server.resume();
    let response = answer(&mut stream).await.expect("an answer");
    assert_eq!(response.body(), "helloworld");
    assert!(client.closed().await.is_h3_no_error());
    gateway.has_left(first).await;
    drop(other);
}

#[tokio::test]
async fn a_connection_at_rest_is_closed_in_its_time() {
    let server = Upstream::named("a").await;
    let builder = before(&server).with("[timeouts]\nidle = \"1s\"");
    let gateway: Gateway = builder.start().await;
    let mut client = Http3::to(&gateway).await;
    assert_eq!(client.get("/").await.body(), "a");
    let end = client.closed().await;
    assert!(end.is_h3_no_error(), "{end:?}");
}
