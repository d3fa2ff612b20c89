//! Listening: the sockets, one of each address for each worker, and the loop
//! that accepts from them.
//!
//! On TCP each worker has a socket of its own, and the kernel spreads connections
//! over them (SO_REUSEPORT). A Unix socket there is only one of to a path: each
//! worker has a duplicate of its descriptor, and whoever is first gets the
//! connection. In both cases it stays with the worker that has accepted it.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gatewright_model::address::Address;
use gatewright_model::config::Listener;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::serve;
use crate::socket;
use crate::socket_file::SocketFile;
use crate::worker::Worker;

/// Connections that the kernel holds for a worker that is busy.
const BACKLOG: i32 = 1024;

/// What the kernel may hold for a client that has not been sent yet. Without a
/// limit it takes megabytes and then says nothing until a third of them has
/// gone: a client that reads slowly but steadily would seem to stand still. On
/// fast networks this much is always there to be sent next.
const MOST_UNSENT: u32 = 128 * 1024;

/// How long accepting pauses when the system has no descriptor to give.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// What a worker accepts from.
pub(crate) enum Listening {
    Tcp(StdTcpListener),
    Unix(StdUnixListener),
}

impl Listening {
    /// The address with the port that the system chose; none of a Unix socket.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

/// What is bound for one listener.
pub(crate) struct Group {
    /// One for each worker.
    pub(crate) sockets: Vec<Listening>,
    /// The file of a Unix socket.
    pub(crate) file: Option<SocketFile>,
}

/// Bind a listener for so many workers.
pub(crate) fn bind(listener: &Listener, workers: usize) -> io::Result<Group> {
    match &listener.listen {
        Address::Ip(address) => {
            let sockets = bind_group(*address, workers)?;
            let sockets = sockets.into_iter().map(Listening::Tcp).collect();
            Ok(Group {
                sockets,
                file: None,
            })
        }
        Address::Unix(path) => {
            let (socket, file) = SocketFile::listen(path, listener.socket_mode, BACKLOG)?;
            let sockets = (0..workers).map(|_| socket.try_clone().map(Listening::Unix));
            Ok(Group {
                sockets: sockets.collect::<Result<_, _>>()?,
                file: Some(file),
            })
        }
    }
}

/// One socket for each worker, all on the same address: the kernel spreads
/// connections over them.
fn bind_group(address: SocketAddr, workers: usize) -> io::Result<Vec<StdTcpListener>> {
    if address.port() != 0 {
        // Alone first: within a group a second gateway of the same user could
        // join unnoticed and take a share of the connections.
        drop(bind_one(address, false)?);
    }
    let first = bind_one(address, true)?;
    let address = first.local_addr()?;
    let others = (1..workers).map(|_| bind_one(address, true));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<StdTcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // The unspecified IPv6 address serves IPv4 clients too.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit both, which saves system calls for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(MOST_UNSENT)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

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
pub(crate) async fn accept(worker: Rc<Worker>, name: Arc<str>, listening: Listening) {
    let listener = match Acceptor::of(listening) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a listener cannot be used"),
    };
    loop {
        let drain = worker.drain_begins.notified();
        if worker.is_draining() {
            return;
        }
        let accepted = tokio::select! {
            accepted = next(&worker, &listener) => accepted,
            () = drain => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Looked up for each: a renewed certificate holds at once.
                let Some(entrance) = worker.current().entrance(&name) else {
                    continue;
                };
                let serving = serve::serve(&worker, stream, peer, entrance);
                tokio::task::spawn_local(serving);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_shares_one_port_and_nobody_else_may_join() {
        let group = bind_group(SocketAddr::from(([127, 0, 0, 1], 0)), 3).unwrap();
        let address = group[0].local_addr().unwrap();
        assert!(group.iter().all(|one| one.local_addr().unwrap() == address));
        let second = bind_group(address, 3).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    }
}
