//! What connections run on: TCP, and Unix sockets.
//!
//! Both are one type to what is above, from the outbox to TLS and hyper. The
//! system reads and writes streams of either kind by the same calls, `recv` and
//! `send`, which are all that the standard library's TCP stream makes of its
//! descriptor, and readiness knows nothing of kinds. So the descriptor of a Unix
//! stream is carried in a [`TcpStream`], and no read or write pays for a branch.
//! What TCP alone has, its addresses and its options, is asked of TCP alone.

use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use gatewright_model::address::Address;
use gatewright_wire::proxy_header::Ends;
use tokio::net::{TcpStream, UnixStream};

/// The first pause and the longest before a Unix socket is tried again that has
/// no room for one more connection in its queue.
const FULL: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// Connect to a server. It has no end of its own: the caller's patience has.
pub(crate) async fn connect(address: &Address) -> io::Result<TcpStream> {
    match address {
        Address::Ip(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        }
        Address::Unix(path) => of_unix(connect_unix(path).await?),
    }
}

/// A connection to a Unix socket. Where its queue is full the system says so at
/// once, while it would go on trying over TCP: so this does.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let [mut pause, longest] = FULL;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
            connected => return connected,
        }
    }
}

/// A Unix stream in the one type.
pub(crate) fn of_unix(stream: UnixStream) -> io::Result<TcpStream> {
    let descriptor = OwnedFd::from(stream.into_std()?);
    TcpStream::from_std(StdTcpStream::from(descriptor))
}

/// Both ends of a client's connection that was accepted from `peer`, and at `known`
/// where that is known. None on a Unix socket, whose clients have no address, nor its
/// ends.
pub(crate) fn ends(
    stream: &StdTcpStream,
    peer: Option<SocketAddr>,
    known: Option<SocketAddr>,
) -> io::Result<Option<Ends>> {
    peer.map(|source| {
        let destination = known.map_or_else(|| stream.local_addr(), Ok)?;
        Ok(Ends {
            source,
            destination,
        })
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use socket2::{Domain, SockAddr, Socket, Type};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_unix_stream_carries_bytes_both_ways_and_ends() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ours = of_unix(ours).unwrap();
        ours.write_all(b"there").await.unwrap();
        ours.shutdown().await.unwrap();
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"there");
        theirs.write_all(b"back").await.unwrap();
        let mut glance = [0; 8];
        assert_eq!(ours.peek(&mut glance).await.unwrap(), 4);
        drop(theirs);
        read.clear();
        ours.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"back");
    }

    #[tokio::test]
    async fn a_unix_socket_whose_queue_is_full_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full.sock");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = Address::Unix(path.as_path().into());
        let first = connect(&address).await.unwrap();
        let mut second = std::pin::pin!(connect(&address));
        std::future::poll_fn(|cx| {
            assert!(second.as_mut().poll(cx).is_pending(), "there is no room");
            Poll::Ready(())
        })
        .await;
        let listener = UnixListener::from_std(OwnedFd::from(socket).into()).unwrap();
        let accepting = async {
            [
                listener.accept().await.unwrap(),
                listener.accept().await.unwrap(),
            ]
        };
        let (second, _) = tokio::join!(second, accepting);
        drop((first, second.unwrap()));
    }
}
