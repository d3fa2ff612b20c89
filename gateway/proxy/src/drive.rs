//! Running one of the HTTP server's connections until it ends, in one way or
//! another.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::connection::{Client, Stage};

/// How often a body is asked to go on before others have their turn: half a megabyte.
const MOST_TURNS: u32 = 16;

/// How serving a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Run a connection until it closes, its client has left, its deadline passes, or,
/// when the worker drains, its last exchange is over. `has_left` is asked before the
/// connection goes on, with true, and afterwards.
pub(crate) async fn drive<C: Drainable>(
    client: &Client,
    mut connection: Pin<&mut C>,
    mut has_left: impl FnMut(&mut Context<'_>, bool) -> bool,
) -> End {
    let mut drains = false;
    std::future::poll_fn(|cx| {
        if client.is_draining() && !drains {
            drains = true;
            connection.as_mut().drain();
            client.hurries();
        }
        if has_left(cx, true) {
            return Poll::Ready(End::Broken);
        }
        for turn in 1.. {
            if let Poll::Ready(served) = connection.as_mut().poll(cx) {
                return Poll::Ready(match served {
                    Ok(()) => End::Closed,
                    Err(error) if error.is_parse() => End::Malformed,
                    Err(_) => End::Broken,
                });
            }
            if !client.pace.goes_on() {
                break;
            }
            if turn == MOST_TURNS {
                cx.waker().wake_by_ref();
                break;
            }
        }
        if has_left(cx, false) {
            return Poll::Ready(End::Broken);
        }
        client.poll_overdue(cx).map(|stage| match stage {
            Stage::Head => End::HeadTimeout,
            _ => End::TimedOut,
        })
    })
    .await
}

/// hyper's connections, of either protocol.
pub(crate) trait Drainable: Future<Output = hyper::Result<()>> {
    /// Tell the client that no new requests are taken, so that none of them is lost.
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
    /// The head of the next answer tells it, and after that the connection closes.
    /// Closed at rest, or after an answer that has told nothing, it might lose a
    /// request that is on its way.
    fn drain(self: Pin<&mut Self>) {}
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
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
