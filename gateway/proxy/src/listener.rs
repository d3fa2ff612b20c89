//! Listening: the sockets, one of each address for each worker, and the loop
//! that accepts from them.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::serve;
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

/// One socket for each worker, all on the same address: the kernel spreads
/// connections over them.
pub(crate) fn bind_group(address: SocketAddr, workers: usize) -> io::Result<Vec<StdListener>> {
    if address.port() != 0 {
        // Alone first: within a group a second gateway of the same user could
        // join unnoticed and take a share of the connections.
        drop(bind(address, false)?);
    }
    let first = bind(address, true)?;
    let address = first.local_addr()?;
    let others = (1..workers).map(|_| bind(address, true));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<StdListener> {
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

/// Accept connections until the worker drains.
pub(crate) async fn accept(worker: Rc<Worker>, name: Arc<str>, listener: StdListener) {
    let listener = match TcpListener::from_std(listener) {
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
async fn next(worker: &Worker, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
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
