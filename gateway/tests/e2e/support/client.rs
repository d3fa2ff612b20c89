//! A client that is no part of the gateway: hyper's, over HTTPS.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::eventually::soon;
use super::tls::connect_tls;

/// A request's body.
pub(crate) type Body = BoxBody<Bytes, std::io::Error>;

/// One connection to the gateway.
pub(crate) enum Client {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    /// Over TLS, with the protocol that the gateway prefers of those offered.
    pub(crate) async fn https(address: SocketAddr, offered: &[&str]) -> Self {
        let stream = connect_tls(address, "localhost", offered).await;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Self::http1_on(stream).await;
        }
        Self::http2_on(stream).await
    }

    /// HTTP/1.1 over any stream.
    pub(crate) async fn http1_on(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let handshake = http1::handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.expect("a handshake");
        tokio::spawn(connection);
        Self::Http1(sender)
    }

    /// HTTP/2 over any stream.
    pub(crate) async fn http2_on(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await.expect("a handshake");
        tokio::spawn(connection);
        Self::Http2(sender)
    }

    /// Send a request whose body takes its time, and wait as long for the
    /// response's head.
    pub(crate) async fn send_slowly(
        &mut self,
        request: Request<Body>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// Send a request and wait for the response's head.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> hyper::Result<Response<Incoming>> {
        soon("a response", self.send_slowly(request)).await
    }

    /// GET a path and read the response whole.
    pub(crate) async fn get(&mut self, path: &str) -> Response<Bytes> {
        // HTTP/1.1 wants a Host, HTTP/2 an authority; each ignores the other's.
        let request = match self {
            Self::Http1(_) => Request::get(path).header("host", "localhost"),
            Self::Http2(_) => Request::get(format!("https://localhost{path}")),
        };
        let request = request.body(empty()).expect("a request");
        let (head, body) = self.send(request).await.expect("a response").into_parts();
        Response::from_parts(head, body_of(body).await.expect("a whole body"))
    }
}

/// A client that does with its HTTP/2 streams whatever a test wants done: its
/// connection has room for much, each stream for what it gives room for.
pub(crate) async fn http2_by_hand(address: SocketAddr) -> h2::client::SendRequest<Bytes> {
    let stream = connect_tls(address, "localhost", &["h2"]).await;
    let handshake = h2::client::Builder::new()
        .initial_connection_window_size(16 << 20)
        .handshake(stream);
    let handshake = soon("a handshake", handshake).await;
    let (sender, connection) = handshake.expect("a handshake");
    tokio::spawn(connection);
    sender
}

/// No body.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// A body that is there from the start.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

/// Read a body to its end.
pub(crate) async fn body_of(body: Incoming) -> hyper::Result<Bytes> {
    Ok(soon("a body", body.collect()).await?.to_bytes())
}

/// A body of these frames, whose length nobody knows before.
pub(crate) fn frames(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Body {
    Frames {
        frames: frames.into_iter().collect(),
        ends: true,
    }
    .boxed()
}

/// A body that begins and never ends.
pub(crate) fn endless(beginning: &'static str) -> Body {
    Frames {
        frames: VecDeque::from([Frame::data(beginning.into())]),
        ends: false,
    }
    .boxed()
}

struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    ends: bool,
}

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.frames.pop_front() {
            None if !self.ends => Poll::Pending,
            frame => Poll::Ready(frame.map(Ok)),
        }
    }
}
