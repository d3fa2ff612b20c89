//! gRPC over HTTP/3 from its callers, over HTTP/2 to servers by tonic. tonic has no
//! client for that, so the messages are framed by hand.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};

use crate::grpc::{gateway, server};
use crate::support::http3::{Stream, answer};
use crate::support::{Http3, Pool, Upstream};

/// A call with one message, the end of which is not said.
async fn begin(client: &mut Http3, call: &str, timeout: Option<&str>, message: &str) -> Stream {
    let mut request = Request::post(format!("https://localhost/test.Echo/{call}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    let request = request.body(()).expect("a request");
    let mut stream = client.begin(request).await.expect("a stream");
    stream.send_data(framed(message)).await.expect("it goes");
    stream
}

/// A message that is not compressed, behind its length.
fn framed(message: &str) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("it is short"));
    framed.extend_from_slice(message.as_bytes());
    framed.freeze()
}

async fn call(
    client: &mut Http3,
    call: &str,
    timeout: Option<&str>,
    message: &str,
) -> Response<Bytes> {
    let mut stream = begin(client, call, timeout, message).await;
    stream.finish().await.expect("it ends");
    let response = answer(&mut stream).await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    response
}

/// What a caller is told in the head or, behind messages, in the trailers.
fn told<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    let trailers = response.extensions().get::<Option<HeaderMap>>();
    let trailers = trailers.and_then(|trailers| trailers.as_ref()?.get(name));
    let value = trailers.or_else(|| response.headers().get(name));
    value.and_then(|value| HeaderValue::to_str(value).ok())
}

#[tokio::test]
async fn a_call_is_answered_with_its_status_behind_the_messages() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    let mut client = Http3::to(&gateway).await;
    let unary = call(&mut client, "Unary", None, "hello").await;
    assert_eq!(unary.body(), &framed("hello"));
    assert_eq!(told(&unary, "grpc-status"), Some("0"));
    assert!(
        !unary.headers().contains_key("grpc-status"),
        "it is known last"
    );
    let download = call(&mut client, "Download", None, "thrice").await;
    assert_eq!(download.body(), &framed("thrice").repeat(3));
    assert_eq!(told(&download, "grpc-status"), Some("0"));
    let refused = call(&mut client, "Refuse", None, "").await;
    assert_eq!(told(&refused, "grpc-status"), Some("9"));
    assert_eq!(told(&refused, "x-why"), Some("tired"));
}

#[tokio::test]
async fn each_message_is_answered_before_the_next_is_sent() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    let mut client = Http3::to(&gateway).await;
    let mut stream = begin(&mut client, "Talk", None, "0").await;
    let response = stream.recv_response().await.expect("a head");
    assert_eq!(response.status(), 200);
    for number in ["0", "1", "2"] {
        let mut received = BytesMut::new();
        while received.len() < framed(number).len() {
            let piece = stream.recv_data().await.expect("no reset").expect("more");
            received.put(piece);
        }
        assert_eq!(received, framed(number));
        let next = (number.parse::<u32>().expect("a number") + 1).to_string();
        stream.send_data(framed(&next)).await.expect("it goes");
    }
    stream.finish().await.expect("it ends");
}

#[tokio::test]
async fn a_callers_deadline_is_the_gateways_too() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    let mut client = Http3::to(&gateway).await;
    let response = call(&mut client, "Sleep", Some("200m"), "").await;
    assert_eq!(told(&response, "grpc-status"), Some("4"));
    gateway.settles().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_is_noticed() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    let mut client = Http3::to(&gateway).await;
    let mut stream = begin(&mut client, "Sleep", None, "").await;
    stream.finish().await.expect("it ends");
    let waiting = stream.recv_response();
    assert!(
        tokio::time::timeout(Duration::from_millis(200), waiting)
            .await
            .is_err()
    );
    // Dropped, it is no more wanted.
    drop(stream);
    gateway.settles().await;
}

#[tokio::test]
async fn without_a_server_callers_are_told_in_their_own_terms() {
    let gateway = gateway(Pool::at(&[Upstream::nowhere()])).await;
    let mut client = Http3::to(&gateway).await;
    let response = call(&mut client, "Unary", None, "").await;
    assert_eq!(told(&response, "grpc-status"), Some("14"));
    let message = told(&response, "grpc-message");
    assert_eq!(message, Some("the server cannot be reached"));
    let failed = gateway.metric("gatewright_responses_total{class=\"5xx\"}");
    assert_eq!(failed.await, 1.0);
}

#[tokio::test]
async fn a_call_that_reached_no_server_goes_to_another() {
    let server = server().await;
    let pool = Pool::at(&[Upstream::nowhere(), server.address()]);
    let gateway = gateway(pool).await;
    let mut client = Http3::to(&gateway).await;
    for _ in 0..4 {
        let response = call(&mut client, "Unary", None, "hello").await;
        assert_eq!(response.body(), &framed("hello"));
    }
}
