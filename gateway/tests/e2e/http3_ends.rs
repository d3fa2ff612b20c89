//! The end of HTTP/3 connections: draining, and clients that fall silent.

use crate::support::http3::{answer, get};
use crate::support::{Builder, Gateway, Http3, Pool, Upstream, eventually, soon};

fn before(server: &Upstream) -> Builder {
    Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[server]))
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_gateway_ends() {
    let server = Upstream::in_two_halves().await;
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
async fn a_client_whose_request_does_not_end_is_told_when_patience_is_over() {
    let server = Upstream::in_two_halves().await;
    let builder = before(&server).with("[timeouts]\ndrain = \"100ms\"");
    let gateway = builder.start().await;
    let mut client = Http3::to(&gateway).await;
    let mut stream = client.begin(get("/")).await.expect("a stream");
    stream.finish().await.expect("it ends");
    let response = soon("a head", stream.recv_response()).await;
    assert_eq!(response.expect("a head").status(), 200);
    gateway.terminate();
    // It does not wait for what would never come.
    let end = client.closed().await;
    assert!(end.is_h3_no_error(), "{end:?}");
    assert_eq!(gateway.exit_code().await, 0);
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
