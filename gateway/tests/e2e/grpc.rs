//! gRPC end to end, by tonic on both sides: calls of all four kinds, deadlines,
//! trailers, and what callers are told when there is no server.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use futures_util::{Stream, StreamExt};
use http::Request as HttpRequest;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc as Caller;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::server::{
    ClientStreamingService, Grpc as Callee, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::support::{Builder, Client, Gateway, Pool, Upstream, connect_tls, soon, whole};

/// Messages that are bytes.
#[derive(Clone, Copy, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
type Answering<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

/// Sends back what it is sent, once or message by message.
struct Echo;

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = Answering<Bytes>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        Box::pin(async move {
            let mut response = Response::new(request.get_ref().clone());
            if let Some(asked) = request.metadata().get("x-asked") {
                response.metadata_mut().insert("x-answered", asked.clone());
            }
            Ok(response)
        })
    }
}

impl ServerStreamingService<Bytes> for Echo {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = Answering<Answers>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let message = request.into_inner();
        let thrice = tokio_stream::iter([message.clone(), message.clone(), message]);
        Box::pin(async { Ok(Response::new(Box::pin(thrice.map(Ok)) as Answers)) })
    }
}

impl ClientStreamingService<Bytes> for Echo {
    type Response = Bytes;
    type Future = Answering<Bytes>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        Box::pin(async {
            let mut messages = request.into_inner();
            let mut all = Vec::new();
            while let Some(message) = messages.message().await? {
                all.extend_from_slice(&message);
            }
            Ok(Response::new(all.into()))
        })
    }
}

impl StreamingService<Bytes> for Echo {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = Answering<Answers>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let messages: Answers = Box::pin(request.into_inner());
        Box::pin(async { Ok(Response::new(messages)) })
    }
}

/// Refuses, with words that need encoding.
struct Refuse;

impl UnaryService<Bytes> for Refuse {
    type Response = Bytes;
    type Future = Answering<Bytes>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let mut status = Status::failed_precondition("not \u{fc}ber 100 %");
        let why = MetadataValue::from_static("tired");
        status.metadata_mut().insert("x-why", why);
        Box::pin(async { Err(status) })
    }
}

/// Never answers.
struct Sleep;

impl UnaryService<Bytes> for Sleep {
    type Response = Bytes;
    type Future = Answering<Bytes>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        Box::pin(std::future::pending())
    }
}

/// A server of these calls.
pub(crate) async fn server() -> Upstream {
    server_for(Duration::from_secs(3600)).await
}

/// The same, whose connections die when they are so old.
async fn server_for(life: Duration) -> Upstream {
    Upstream::speaking(move |stream| async move {
        let service = service_fn(|request: HttpRequest<Incoming>| async move {
            let path = request.uri().path().to_owned();
            let mut callee = Callee::new(Plain);
            Ok::<_, Infallible>(match path.as_str() {
                "/test.Echo/Unary" => callee.unary(Echo, request).await,
                "/test.Echo/Download" => callee.server_streaming(Echo, request).await,
                "/test.Echo/Upload" => callee.client_streaming(Echo, request).await,
                "/test.Echo/Talk" => callee.streaming(Echo, request).await,
                "/test.Echo/Sleep" => callee.unary(Sleep, request).await,
                _ => callee.unary(Refuse, request).await,
            })
        });
        let serving = http2::Builder::new(TokioExecutor::new());
        let serving = serving.serve_connection(TokioIo::new(stream), service);
        // How it ends is the test's to see.
        let _ = tokio::time::timeout(life, serving).await;
    })
    .await
}

pub(crate) async fn gateway(pool: Pool) -> Gateway {
    let pool = pool.with("protocol", "\"http2\"");
    let builder = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true");
    builder.pool(pool).start().await
}

/// A caller that is ready, in the clear.
async fn caller(gateway: &Gateway) -> Caller<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", gateway.address()));
    ready(endpoint.expect("an address").connect_lazy()).await
}

/// The same over TLS.
async fn secure_caller(gateway: &Gateway) -> Caller<Channel> {
    let address = gateway.tls_address();
    let connect = tower::service_fn(move |_| async move {
        let stream = connect_tls(address, "localhost", &["h2"]).await;
        Ok::<_, Infallible>(TokioIo::new(stream))
    });
    let endpoint = Endpoint::from_static("http://localhost");
    ready(endpoint.connect_with_connector_lazy(connect)).await
}

async fn ready(channel: Channel) -> Caller<Channel> {
    let mut caller = Caller::new(channel);
    soon("a connection", caller.ready())
        .await
        .expect("a connection");
    caller
}

fn path(call: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(call)
}

async fn unary(
    caller: &mut Caller<Channel>,
    call: &'static str,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Status> {
    caller.ready().await.expect("a connection");
    soon("an answer", caller.unary(request, path(call), Plain)).await
}

async fn all_four_kinds(caller: &mut Caller<Channel>) {
    let mut request = Request::new(Bytes::from("hello"));
    let metadata = request.metadata_mut();
    metadata.insert("x-asked", MetadataValue::from_static("yes"));
    let response = unary(caller, "/test.Echo/Unary", request)
        .await
        .expect("an answer");
    assert_eq!(
        response.metadata().get("x-answered").expect("an answer"),
        "yes"
    );
    assert_eq!(response.into_inner(), "hello");

    caller.ready().await.expect("a connection");
    let request = Request::new(Bytes::from("thrice"));
    let download = caller.server_streaming(request, path("/test.Echo/Download"), Plain);
    let messages = soon("an answer", download)
        .await
        .expect("an answer")
        .into_inner();
    let messages: Vec<_> = soon("all messages", messages.collect()).await;
    assert_eq!(messages.len(), 3);
    assert!(
        messages
            .iter()
            .all(|message| message.as_ref().expect("an answer") == "thrice")
    );

    caller.ready().await.expect("a connection");
    let parts = tokio_stream::iter(["one ", "two ", "three"].map(Bytes::from));
    let upload = caller.client_streaming(Request::new(parts), path("/test.Echo/Upload"), Plain);
    let response = soon("an answer", upload).await.expect("an answer");
    assert_eq!(response.into_inner(), "one two three");

    // Each message is answered before the next is sent.
    caller.ready().await.expect("a connection");
    let (sender, receiver) = mpsc::channel(1);
    let request = Request::new(ReceiverStream::new(receiver));
    let talk = caller.streaming(request, path("/test.Echo/Talk"), Plain);
    let (_, talk) = tokio::join!(sender.send(Bytes::from("0")), soon("an answer", talk));
    let mut answers = talk.expect("an answer").into_inner();
    assert_eq!(
        answers
            .message()
            .await
            .expect("an answer")
            .expect("a message"),
        "0"
    );
    for number in ["1", "2", "3"] {
        sender.send(Bytes::from(number)).await.expect("an answer");
        let answer = soon("an answer", answers.message()).await;
        assert_eq!(answer.expect("an answer").expect("a message"), number);
    }
    drop(sender);
    assert_eq!(
        soon("the end", answers.message()).await.expect("an answer"),
        None
    );
}

#[tokio::test]
async fn calls_of_all_four_kinds_work_in_the_clear_and_over_tls() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    all_four_kinds(&mut caller(&gateway).await).await;
    all_four_kinds(&mut secure_caller(&gateway).await).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn large_messages_go_both_ways() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    let mut caller = caller(&gateway).await;
    let large = Bytes::from(vec![7; 3 << 20]);
    let response = unary(&mut caller, "/test.Echo/Unary", Request::new(large.clone())).await;
    assert!(response.unwrap().into_inner() == large);
}

#[tokio::test]
async fn a_refusal_arrives_with_its_words_and_its_metadata() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    let mut caller = caller(&gateway).await;
    let refusal = unary(&mut caller, "/test.Echo/Refuse", Request::new(Bytes::new())).await;
    let status = refusal.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "not \u{fc}ber 100 %");
    assert_eq!(status.metadata().get("x-why").unwrap(), "tired");
}

#[tokio::test]
async fn a_callers_deadline_is_the_gateways_too() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    // By hand: tonic keeps the deadline itself, and would hide who gave up.
    let call = HttpRequest::post("https://localhost/test.Echo/Sleep")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "200m");
    let empty_message = [0; 5].as_slice();
    let call = call.body(whole(empty_message)).unwrap();
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    let response = client.send(call).await.unwrap();
    assert_eq!(response.status(), 200);
    let status = response.headers()["grpc-status"].to_str().unwrap();
    assert_eq!(status, (Code::DeadlineExceeded as i32).to_string());
    gateway.settles().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_is_noticed() {
    let server = server().await;
    let gateway = gateway(Pool::of(&[&server])).await;
    let mut caller = caller(&gateway).await;
    let mut request = Request::new(Bytes::new());
    request.set_timeout(Duration::from_secs(3600));
    let call = unary(&mut caller, "/test.Echo/Sleep", request);
    let _ = tokio::time::timeout(Duration::from_millis(200), call).await;
    gateway.settles().await;
}

#[tokio::test]
async fn a_server_that_dies_while_its_caller_pauses_is_unavailable() {
    let server = server_for(Duration::from_secs(2)).await;
    let gateway = gateway(Pool::of(&[&server])).await;
    let mut caller = caller(&gateway).await;
    let (sender, receiver) = mpsc::channel(1);
    sender.send(Bytes::from("begun")).await.expect("room");
    let request = Request::new(ReceiverStream::new(receiver));
    let upload = caller.client_streaming(request, path("/test.Echo/Upload"), Plain);
    let status = soon("an answer", upload).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    drop(sender);
    // It may have tired of its caller as well.
    let failures = gateway.metric("gatewright_server_failures_total").await;
    assert_eq!(failures, 0.0);
}

#[tokio::test]
async fn without_a_server_callers_are_told_in_their_own_terms() {
    let gateway = gateway(Pool::at(&[Upstream::nowhere()])).await;
    let mut caller = caller(&gateway).await;
    let status = unary(&mut caller, "/test.Echo/Unary", Request::new(Bytes::new())).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the server cannot be reached");
}

#[tokio::test]
async fn a_failed_call_is_counted_as_what_it_is_and_kept_by_nobody() {
    let gateway = gateway(Pool::at(&[Upstream::nowhere()])).await;
    let call = HttpRequest::post("https://localhost/test.Echo/Unary")
        .header("content-type", "application/grpc")
        .body(whole([0; 5].as_slice()));
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    let response = client.send(call.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let failed = gateway.metric("gatewright_responses_total{class=\"5xx\"}");
    assert_eq!(failed.await, 1.0);
}

#[tokio::test]
async fn what_only_has_the_type_of_a_call_fails_as_any_request_does() {
    let gateway = gateway(Pool::at(&[Upstream::nowhere()])).await;
    let typed = "HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n";
    for request in [
        format!("GET / {typed}\r\n"),
        format!("POST / {typed}content-length: 0\r\n\r\n"),
    ] {
        let response = gateway.exchange(request).await;
        assert_eq!(
            (response.status(), response.header("grpc-status")),
            (502, None)
        );
    }
}
