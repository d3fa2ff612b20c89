//! The loop that accepts connections, one for each socket of a worker. A
//! connection stays with the worker that has accepted it.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{SocketFlags, acceptfrom_with};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::group::{Listening, Share};
use crate::serve::{self, Arrival};
use crate::socket;
use crate::worker::Worker;

/// How long accepting pauses when the system has no descriptor to give.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// What a worker accepts from.
struct Acceptor {
    /// The listening socket, carried in the type of a stream: what the runtime knows of
    /// either is when it is ready. Its own type of listeners would have it know at once
    /// of every connection, many of which are over before anybody waits for them.
    socket: TcpStream,
    is_unix: bool,
}

impl Acceptor {
    fn of(listening: Listening) -> io::Result<Self> {
        let (descriptor, is_unix) = match listening {
            Listening::Tcp(socket) => (OwnedFd::from(socket), false),
            Listening::Unix(socket) => (OwnedFd::from(socket), true),
        };
        let socket = TcpStream::from_std(StdTcpStream::from(descriptor))?;
        Ok(Self { socket, is_unix })
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_io(Interest::READABLE, || self.take()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                accepted => return Poll::Ready(accepted),
            }
        }
    }

    /// The next connection, if there is one.
    fn take(&self) -> io::Result<Accepted> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (stream, peer) = acceptfrom_with(&self.socket, flags)?;
        let peer = match self.is_unix {
            true => None,
            false => peer.map(SocketAddr::try_from).transpose()?,
        };
        Ok((StdTcpStream::from(stream), peer))
    }
}

/// A client's stream, and its address where it has one.
type Accepted = (StdTcpStream, Option<SocketAddr>);

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
