//! Running one of the HTTP server's connections until it ends, in one way or
//! another.

use std::pin::Pin;
use std::task::Poll;

use crate::connection::{Client, Stage};

/// How serving a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should, after an exchange or between two.
    Closed,
    /// In the middle of one.
    Broken,
    /// What came was no request; the HTTP server has said so.
    Malformed,
    /// The head of a request was not whole in time.
    HeadTimeout,
    /// Something else did not come in time.
    TimedOut,
}

/// Run a connection until it closes, its deadline passes, or, when the worker
/// drains, its last exchange is over.
pub(crate) async fn drive<C: Drainable>(client: &Client, mut connection: Pin<&mut C>) -> End {
    let mut draining = Draining::default();
    std::future::poll_fn(|cx| {
        if client.is_draining() {
            draining.go_on(client, connection.as_mut());
        }
        if let Poll::Ready(served) = connection.as_mut().poll(cx) {
            return Poll::Ready(match served {
                Ok(()) => End::Closed,
                Err(error) if error.is_parse() => End::Malformed,
                Err(_) => End::Broken,
            });
        }
        client.poll_overdue(cx).map(|stage| match stage {
            Stage::Head => End::HeadTimeout,
            _ => End::TimedOut,
        })
    })
    .await
}

/// How far a connection has come in its draining.
#[derive(Default)]
struct Draining {
    /// Whether its client has begun to be waited for in the short way.
    hurries: bool,
    /// Whether it takes no new requests.
    told: bool,
}

impl Draining {
    fn go_on<C: Drainable>(&mut self, client: &Client, connection: Pin<&mut C>) {
        // A connection of HTTP/1.1 at rest is not closed at once: a request may be
        // on its way. Its answer says that it was the last.
        if !self.told && (C::TELLS_AT_REST || client.is_in_exchange()) {
            self.told = true;
            connection.drain();
        }
        if !self.hurries {
            self.hurries = true;
            client.hurries();
        }
    }
}

/// hyper's connections, of either protocol.
pub(crate) trait Drainable: Future<Output = hyper::Result<()>> {
    /// Whether a client can be told between two requests that no more are taken,
    /// so that none of its requests is lost.
    const TELLS_AT_REST: bool;

    /// Finish what runs and take no new requests.
    fn drain(self: Pin<&mut Self>);
}

impl<I, S, B> Drainable for hyper::server::conn::http1::Connection<I, S>
where
    Self: Future<Output = hyper::Result<()>>,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    const TELLS_AT_REST: bool = false;

    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Drainable for hyper::server::conn::http2::Connection<I, S, E>
where
    Self: Future<Output = hyper::Result<()>>,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    const TELLS_AT_REST: bool = true;

    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
