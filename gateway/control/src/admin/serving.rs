//! One connection of the admin listener: requests are handed to the routes, and
//! a client that does not come to the point is left.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tower_http::timeout::TimeoutBody;

use super::places::Place;

/// Bytes that are held of what a client has sent or is being sent: a request's
/// head is smaller, and 512 connections hold little memory.
const BUFFER: usize = 64 * 1024;

/// How long a connection at rest stays open when the listener is to close: a
/// request may be on its way, and its answer says that it was the last.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// Where a client connects from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// How long a client is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a request's whole head, from the connection's beginning or the last
    /// answer on.
    pub(super) head: Duration,
    /// For the next piece of a request's body.
    pub(super) body: Duration,
}

/// Serve a connection until either side ends it; when the listener is to close,
/// until the answer under way is whole.
pub(super) fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    place: Arc<Place>,
    routes: Router,
    patience: Patience,
    mut closing: watch::Receiver<bool>,
) -> impl Future<Output = ()> {
    let routes = TowerToHyperService::new(routes);
    let ends = closing.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| Body::new(TimeoutBody::new(patience.body, body)));
        request.extensions_mut().insert(ConnectInfo(Peer(peer)));
        request.extensions_mut().insert(Arc::clone(&place));
        let (answering, ends) = (routes.call(request), ends.clone());
        async move {
            let mut answer = answering.await?;
            if *ends.borrow() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    async move {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = closed(&mut closing) => {
                match tokio::time::timeout(LAST_REQUEST, connection.as_mut()).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %peer.ip(), %error, "an admin connection has ended");
        }
    }
}

/// Wait until the listener is to close.
pub(super) async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error is that nobody is there to close it any more, which means the same.
    let _ = closing.wait_for(|closing| *closing).await;
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::places::{Places, Standing};
    use super::*;

    /// What a client is told that sends this and waits.
    async fn told(sent: &str, patience: Patience) -> String {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let (place, _leave) = Places::default().enter(peer.ip(), Standing::Stranger);
        let (mut client, stream) = tokio::io::duplex(1024);
        let routes = Router::new().route("/", post(async |_: Bytes| "taken"));
        let (_open, closing) = watch::channel(false);
        let place = Arc::new(place);
        tokio::spawn(serve(stream, peer, place, routes, patience, closing));
        client.write_all(sent.as_bytes()).await.unwrap();
        let mut told = String::new();
        client.read_to_string(&mut told).await.unwrap();
        told
    }

    const SOON: Duration = Duration::from_millis(20);
    const NEVER: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn who_never_ends_a_head_is_left() {
        let patience = Patience {
            head: SOON,
            body: NEVER,
        };
        assert_eq!(told("", patience).await, "");
        assert_eq!(told("POST / HTTP/1.1\r\nhost: a\r\n", patience).await, "");
        let whole = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n1";
        let answer = told(whole, patience).await;
        assert!(answer.ends_with("taken"), "{answer}");
    }

    #[tokio::test]
    async fn who_never_ends_a_body_is_told_so_and_left() {
        let patience = Patience {
            head: NEVER,
            body: SOON,
        };
        let half = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n1";
        let answer = told(half, patience).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}
