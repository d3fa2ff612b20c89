//! The loop that accepts connections, one for each socket of a worker. A
//! connection stays with the worker that has accepted it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::group::{Listening, Share};
use crate::serve::{self, Arrival};
use crate::socket;
use crate::worker::Worker;

/// How long accepting pauses when the system has no descriptor to give.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// What a worker accepts from, as its runtime knows it.
enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    fn of(listening: Listening) -> io::Result<Self> {
        match listening {
            Listening::Tcp(socket) => TcpListener::from_std(socket).map(Self::Tcp),
            Listening::Unix(socket) => UnixListener::from_std(socket).map(Self::Unix),
        }
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        Poll::Ready(Ok(match self {
            Self::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                (stream, Some(peer))
            }
            Self::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                (socket::of_unix(stream)?, None)
            }
        }))
    }
}

/// A client's stream, and its address where it has one.
type Accepted = (TcpStream, Option<SocketAddr>);

/// Accept connections until the worker drains.
pub(crate) async fn accept(worker: Rc<Worker>, name: Arc<str>, share: Share) {
    let listener = match Acceptor::of(share.socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a listener cannot be used"),
    };
    // From here on the call is heard, be it waited for or not.
    let mut drain = pin!(worker.drain_begins.notified());
    while !worker.is_draining() {
        let accepted = tokio::select! {
            biased;
            accepted = next(&worker, &listener) => accepted,
            () = drain.as_mut() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Looked up for each: a renewed certificate holds at once.
                let Some(entrance) = worker.current().entrance(&name) else {
                    continue;
                };
                let Ok(ends) = socket::ends(&stream, peer, share.end) else {
                    continue;
                };
                let arrival = Arrival::new(&worker, stream, ends, entrance);
                match arrival.is_plain() {
                    true => worker.plain.give(arrival, serve::plain),
                    false => worker.secured.give(arrival, serve::secured),
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// The next connection, when there is room for it; until then it waits in the
/// kernel's backlog.
async fn next(worker: &Worker, listener: &Acceptor) -> io::Result<Accepted> {
    let limit = || worker.current().snapshot.config.limits.connections;
    loop {
        worker.room_within(limit).await;
        let accepted = poll_fn(|cx| match worker.open() < limit() {
            true => listener.poll_accept(cx).map(Some),
            // While this one waited, another listener took the last place.
            false => Poll::Ready(None),
        });
        if let Some(accepted) = accepted.await {
            return accepted;
        }
    }
}

/// Whether only the connection being accepted is lost.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
