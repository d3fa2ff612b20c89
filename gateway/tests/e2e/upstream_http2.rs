//! HTTP/2 towards servers, by prior knowledge and over TLS.

mod elsewhere;
mod sharing;
mod trouble;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Barrier;

use crate::support::{
    Authority, Body, Builder, Client, Gateway, Pool, Upstream, acceptor, body_of, empty,
    eventually, frames, soon, whole,
};

/// Serves one connection with `answer`.
async fn serve<S, F, A>(stream: S, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answering = answer(request);
        async { Ok::<_, Infallible>(answering.await) }
    });
    let serving = http2::Builder::new(TokioExecutor::new());
    // How it ends is the test's to see.
    let _ = serving
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A server in the clear.
async fn answering<F, A>(answer: A) -> Upstream
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    Upstream::speaking(move |stream| serve(stream, answer.clone())).await
}

/// Says what was asked, and sends the body and its trailers back.
async fn echo(request: Request<Incoming>) -> Response<Body> {
    let head = Response::builder()
        .header("x-version", format!("{:?}", request.version()))
        .header("x-target", request.uri().to_string());
    let body = request.into_body().collect().await.expect("a whole body");
    let trailers = body.trailers().cloned();
    let mut parts = vec![Frame::data(body.to_bytes())];
    parts.extend(trailers.map(Frame::trailers));
    head.body(frames(parts)).expect("a response")
}

fn over_http2(servers: &[&Upstream]) -> Pool {
    Pool::of(servers).with("protocol", "\"http2\"")
}

fn get(path: &str) -> Request<Body> {
    let request = Request::get(format!("https://localhost{path}"));
    request.body(empty()).expect("a request")
}

async fn https(gateway: &Gateway) -> Client {
    Client::https(gateway.tls_address(), &["h2"]).await
}

async fn before(pool: Pool) -> Gateway {
    let builder = Builder::new().tls("self_signed = true");
    builder.pool(pool).start().await
}

#[tokio::test]
async fn a_request_of_either_version_arrives_as_http2() {
    let server = answering(echo).await;
    let gateway = before(over_http2(&[&server])).await;
    let response = gateway.get("/a?b=c").await;
    assert_eq!(response.header("x-version"), Some("HTTP/2.0"));
    let target = response.header("x-target").map(ToOwned::to_owned);
    let response = https(&gateway).await.send(get("/a?b=c")).await.unwrap();
    assert_eq!(response.headers()["x-version"], "HTTP/2.0");
    assert_eq!(response.headers()["x-target"], "http://localhost/a?b=c");
    assert!(target.is_some_and(|target| target.ends_with("/a?b=c")));
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    const MANY: usize = 50;
    let barrier = Arc::new(Barrier::new(MANY));
    let server = answering(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Response::new(whole("together"))
        }
    })
    .await;
    let gateway = before(over_http2(&[&server])).await;
    let asking = (0..MANY).map(|_| gateway.get("/"));
    let responses = soon("all answers", join_all(asking)).await;
    assert!(
        responses
            .iter()
            .all(|response| response.text() == "together")
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn bodies_and_trailers_go_both_ways() {
    let server = answering(echo).await;
    let gateway = before(over_http2(&[&server])).await;
    let mut client = https(&gateway).await;
    let large = Bytes::from(vec![b'x'; 3 << 20]);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    for _ in 0..3 {
        let body = frames([
            Frame::data(large.clone()),
            Frame::trailers(trailers.clone()),
        ]);
        let request = Request::post("https://localhost/").header("trailer", "x-sum");
        let response = client.send(request.body(body).unwrap()).await.unwrap();
        let body = soon("a body", response.into_body().collect())
            .await
            .unwrap();
        assert_eq!(body.trailers(), Some(&trailers));
        assert!(body.to_bytes() == large);
    }
    let length = large.len();
    let mut post =
        format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    post.extend_from_slice(&large);
    assert!(gateway.exchange(post).await.text().len() == length);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn responses_without_a_body_have_none() {
    let server = answering(|request: Request<Incoming>| async move {
        let response = Response::builder();
        match request.uri().path() {
            "/204" => response.status(204).body(empty()),
            "/304" => response.status(304).header("etag", "\"a\"").body(empty()),
            _ => response.header("content-length", "7").body(empty()),
        }
        .expect("a response")
    })
    .await;
    let gateway = before(over_http2(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let head = client.response_to_head().await;
    assert_eq!(head.header("content-length"), Some("7"));
    for status in [204, 304] {
        client
            .send(format!("GET /{status} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        let response = client.response().await;
        assert_eq!((response.status(), response.text()), (status, ""));
    }
}

#[tokio::test]
async fn over_tls_the_protocol_is_agreed_on() {
    let authority = Authority::new();
    let certified = authority.sign("127.0.0.1");
    for (protocol, offered, version) in [
        ("http2", ["h2", "http/1.1"], "HTTP/2.0"),
        ("auto", ["h2", "http/1.1"], "HTTP/2.0"),
        ("auto", ["http/1.1", "http/1.1"], "HTTP/1.1"),
    ] {
        let shown = acceptor(&certified, &offered, None);
        let server = Upstream::speaking(move |stream| {
            let shown = shown.clone();
            async move {
                let Ok(stream) = shown.accept(stream).await else {
                    return;
                };
                match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => serve(stream, echo).await,
                    _ => {
                        let serving = hyper::server::conn::http1::Builder::new();
                        let service = service_fn(|request| async {
                            Ok::<_, Infallible>(echo(request).await)
                        });
                        let _ = serving
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    }
                }
            }
        })
        .await;
        let builder = Builder::new().file("ca.pem", authority.certificate());
        let pool = Pool::of(&[&server])
            .with("protocol", format!("\"{protocol}\""))
            .with("tls", "{ ca = \"ca.pem\" }")
            .health("{ interval = \"50ms\", path = \"/\" }");
        let gateway = builder.pool(pool).start().await;
        for _ in 0..2 {
            let response = gateway.get("/").await;
            assert_eq!(response.header("x-version"), Some(version), "{protocol}");
        }
        eventually("it is healthy", async || {
            gateway.count("healthy").await == 1
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_without_http2_is_no_server_of_such_a_pool() {
    let authority = Authority::new();
    let shown = acceptor(&authority.sign("127.0.0.1"), &[], None);
    let server = Upstream::speaking(move |stream| {
        let shown = shown.clone();
        async move {
            let _ = shown.accept(stream).await;
        }
    })
    .await;
    let builder = Builder::new().file("ca.pem", authority.certificate());
    let pool = over_http2(&[&server]).with("tls", "{ ca = \"ca.pem\" }");
    let gateway = builder.pool(pool).start().await;
    assert_eq!(gateway.get("/").await.status(), 502);
}

/// What a server does with one stream.
type Respond = SendResponse<Bytes>;

/// A server of HTTP/2 by hand: `answer` gets each request of a connection, with
/// its number there, and says whether the connection goes on.
async fn by_hand(
    streams: u32,
    answer: impl Fn(usize, Request<RecvStream>, Respond) -> bool + Clone + Send + Sync + 'static,
) -> Upstream {
    Upstream::speaking(move |stream| {
        let answer = answer.clone();
        async move {
            let mut builder = h2::server::Builder::new();
            let handshake = builder.max_concurrent_streams(streams).handshake(stream);
            let Ok(mut connection) = handshake.await else {
                return;
            };
            let mut count = 0;
            while let Some(Ok((request, respond))) = connection.accept().await {
                if !answer(count, request, respond) {
                    connection.graceful_shutdown();
                }
                count += 1;
            }
        }
    })
    .await
}

fn answer_whole(mut respond: Respond, text: &'static str) {
    let mut stream = respond
        .send_response(Response::new(()), false)
        .expect("room");
    stream.send_data(text.into(), true).expect("room");
}

#[tokio::test]
async fn a_server_that_allows_few_streams_gets_more_connections() {
    let barrier = Arc::new(Barrier::new(6));
    let server = by_hand(2, move |_, _, respond| {
        let barrier = Arc::clone(&barrier);
        tokio::spawn(async move {
            barrier.wait().await;
            answer_whole(respond, "together");
        });
        true
    })
    .await;
    let gateway = before(over_http2(&[&server])).await;
    // Its limit is known once it has said so.
    let asking = (0..6).map(|_| gateway.get("/"));
    let responses = soon("all answers", join_all(asking)).await;
    assert!(responses.iter().all(|response| response.status() == 200));
}

#[tokio::test]
async fn clients_may_speak_http2_in_the_clear() {
    let server = Upstream::named("a").await;
    let gateway = before(Pool::of(&[&server])).await;
    let stream = tokio::net::TcpStream::connect(gateway.address())
        .await
        .unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let request = Request::get("http://localhost/").body(Full::<Bytes>::default());
        let response = soon("a response", sender.send_request(request.unwrap()))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(body_of(response.into_body()).await.unwrap(), "a");
    }
}
