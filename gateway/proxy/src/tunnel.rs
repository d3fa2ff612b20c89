//! What follows once client and server have agreed on another protocol, such as
//! a WebSocket: bytes both ways, until both have said that they are done, one
//! breaks off, or nothing has come for too long, which is sooner once one of them
//! is done.
//!
//! Where both sides are bare sockets the worker's [`relay`](crate::relay) carries, and
//! the connection's task waits for the end; elsewhere the task carries.
//!
//! Nothing is read from one side before the other has taken what was read
//! before, so a slow reader slows its writer down. A tunnel at rest holds no
//! buffer: what is read lands in memory that tunnels of a worker share, and only
//! what the other side does not take at once is kept.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use gatewright_host::Ending;
use http::{HeaderMap, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Client, Tunnelling};
use crate::deadlines::ticks_in;
use crate::outbox::{Layered, Posted};
use crate::upstream::{InFlight, Switched};
use crate::worker::Worker;

/// What a worker's tunnels read into: as much as a TLS record holds.
pub(crate) const TUNNEL_LANDING: usize = 16 * 1024;

/// Memory that those tunnels of a worker share which their tasks carry.
pub(crate) type TunnelLanding = RefCell<Box<[u8]>>;

/// Join what the server has switched with the client's connection, as soon as
/// the HTTP server has let go of it. `over_http2` is the client's stream where
/// it asked over HTTP/2, and `head` the response that it gets.
pub(crate) fn open(
    client: &Rc<Client>,
    server: Box<Switched>,
    head: (&mut StatusCode, &mut HeaderMap),
    over_http2: Option<OnUpgrade>,
) {
    match over_http2 {
        None => client.switch(server),
        Some(stream) => {
            // RFC 8441 §5: there the status of success is 200, and the
            // connection's own headers mean nothing.
            let (status, headers) = head;
            *status = StatusCode::OK;
            headers.remove(header::UPGRADE);
            headers.remove(header::CONNECTION);
            headers.remove(header::SEC_WEBSOCKET_ACCEPT);
            let client = Rc::clone(client);
            let tunnelling = Tunnelling::begin(&client);
            tokio::task::spawn_local(async move {
                if let Ok(stream) = stream.await {
                    carry(&tunnelling, &mut TokioIo::new(stream), Vec::new(), *server).await;
                }
            });
        }
    }
}

/// Have bytes carried both ways until the tunnel ends. `early` is what the client has
/// sent already.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Layered + Unpin>(
    tunnelling: Tunnelling,
    mut stream: S,
    early: Vec<u8>,
    server: Switched,
) {
    let worker = &tunnelling.client().worker;
    if let Some(sides) = stream.bare().zip(server.connection.bare())
        && sides.0.send_all()
        && sides.1.send_all()
        && let Ok(relay) = worker.relay()
    {
        let before = [&early[..], &server.connection.buffer];
        let joined = take_sockets(sides).and_then(|sockets| relay.join(sockets, before));
        drop(early);
        let Switched {
            connection,
            mut in_flight,
            place: _place,
        } = server;
        drop((stream, connection));
        match joined {
            Ok(joined) => {
                let ending = ended(worker, &in_flight, |cx| joined.so_far(cx)).await;
                in_flight.ended(ending);
            }
            // That is no fault of the server's.
            Err(error) => tracing::warn!(%error, "a tunnel's sockets cannot be watched"),
        }
        return;
    }
    carry(&tunnelling, &mut stream, early, server).await;
}

/// The sockets of both sides, on which there is nothing to be done but what is done by
/// who gets them.
fn take_sockets((client, server): (&Posted, &Posted)) -> io::Result<[TcpStream; 2]> {
    Ok([client.take_socket()?, server.take_socket()?])
}

/// Carry bytes both ways until the tunnel ends.
async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    tunnelling: &Tunnelling,
    stream: &mut S,
    early: Vec<u8>,
    server: Switched,
) {
    let worker = &tunnelling.client().worker;
    let Switched {
        connection,
        mut in_flight,
        place: _place,
    } = server;
    let (mut server, buffer) = connection.into_parts();
    let [mut up, mut down] = [&early[..], &buffer].map(Direction::from);
    drop((early, buffer));
    let mut moved_at = worker.deadlines.now();
    let (mut sent, mut received) = (Poll::Pending, Poll::Pending);
    let so_far = |cx: &mut Context<'_>| {
        let before = [up.so_far(), down.so_far()];
        let landing = &worker.tunnel_landing;
        if sent.is_pending() {
            sent = up.poll_carry(stream, &mut server, landing, cx);
        }
        if received.is_pending() {
            received = down.poll_carry(&mut server, stream, landing, cx);
        }
        if before != [up.so_far(), down.so_far()] {
            moved_at = worker.deadlines.now();
        }
        SoFar {
            ending: ending(sent, received),
            moved_at,
            is_half_closed: up.ended || down.ended || sent.is_ready(),
        }
    };
    let ending = ended(worker, &in_flight, so_far).await;
    in_flight.ended(ending);
}

/// What has become of a tunnel so far.
pub(crate) struct SoFar {
    pub(crate) ending: Option<Ending>,
    /// The tick at which something moved last.
    pub(crate) moved_at: u64,
    /// Whether one side has said that it is done, or has broken off.
    pub(crate) is_half_closed: bool,
}

/// Wait until the tunnel ends, or nothing has come for too long. `so_far` is asked
/// whenever the task is woken.
async fn ended(
    worker: &Worker,
    in_flight: &InFlight,
    mut so_far: impl FnMut(&mut Context<'_>) -> SoFar,
) -> Ending {
    let timeouts = worker.timeouts();
    let idle = worker.deadlines.register();
    // Who has nothing more to say may hear the rest, and has often left.
    let half_closed = match timeouts.tunnel_idle.is_zero() {
        true => timeouts.body_idle,
        false => timeouts.body_idle.min(timeouts.tunnel_idle),
    };
    let [open, half_closed] = [timeouts.tunnel_idle, half_closed].map(|limit| {
        let limit = Some(limit).filter(|limit| !limit.is_zero());
        limit.map_or(u64::MAX, ticks_in)
    });
    poll_fn(|cx| {
        let so_far = so_far(cx);
        if in_flight.upstream().is_cut() {
            return Poll::Ready(Ending::Broken);
        }
        if let Some(ending) = so_far.ending {
            return Poll::Ready(ending);
        }
        let limit = match so_far.is_half_closed {
            true => half_closed,
            false => open,
        };
        idle.arm_at(so_far.moved_at.saturating_add(limit));
        // That neither side has more to say is no fault of the server's.
        idle.poll_passed(cx).map(|()| Ending::Completed)
    })
    .await
}

/// Which side of one way has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broke {
    /// The one that is read.
    From,
    /// The one that is written to.
    To,
}

/// How a tunnel has ended, by what has become of the way to the server and of
/// the way back: a client that breaks off says nothing of the server, and what a server
/// has said before it broke off is carried to the last byte.
pub(crate) fn ending(
    sent: Poll<Result<(), Broke>>,
    received: Poll<Result<(), Broke>>,
) -> Option<Ending> {
    match (sent, received) {
        (Poll::Ready(Err(Broke::From)), _) | (_, Poll::Ready(Err(Broke::To))) => {
            Some(Ending::Abandoned)
        }
        (_, Poll::Ready(Err(Broke::From))) => Some(Ending::Broken),
        (Poll::Pending, _) | (_, Poll::Pending) => None,
        (Poll::Ready(Err(Broke::To)), Poll::Ready(Ok(()))) => Some(Ending::Broken),
        (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Some(Ending::Completed),
    }
}

/// One of the two ways through a tunnel.
struct Direction {
    /// What was read and not yet taken by the other side.
    held: BytesMut,
    /// Whether the reading side has said that no more comes.
    ended: bool,
    /// Whether the writing side has been told so.
    shut: bool,
    /// Bytes that have been read.
    moved: u64,
}

impl From<&[u8]> for Direction {
    fn from(early: &[u8]) -> Self {
        Self {
            held: BytesMut::from(early),
            ended: false,
            shut: false,
            moved: 0,
        }
    }
}

impl Direction {
    /// How much has been read, and whether that is all.
    fn so_far(&self) -> (u64, bool) {
        (self.moved, self.ended)
    }

    /// Carry what there is; ready when the last byte has been carried.
    fn poll_carry(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        landing: &TunnelLanding,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broke>> {
        while !self.shut {
            while !self.held.is_empty() {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.held));
                let written = written.map_err(|_| Broke::To)?;
                self.moved += written as u64;
                self.held.advance(written);
            }
            if self.ended {
                ready!(Pin::new(&mut *to).poll_shutdown(cx)).map_err(|_| Broke::To)?;
                self.shut = true;
                break;
            }
            if self.held.capacity() > 0 {
                self.held = BytesMut::new();
            }
            let mut landing = landing.borrow_mut();
            let mut read = ReadBuf::new(&mut landing);
            let coming = Pin::new(&mut *from).poll_read(cx, &mut read);
            if coming.map_err(|_| Broke::From)?.is_pending() {
                ready!(Pin::new(&mut *to).poll_flush(cx)).map_err(|_| Broke::To)?;
                return Poll::Pending;
            }
            self.ended = read.filled().is_empty();
            self.moved += read.filled().len() as u64;
            self.pass_on(read.filled(), to, cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Write what was read; what the other side does not take at once is kept.
    fn pass_on(
        &mut self,
        read: &[u8],
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Result<(), Broke> {
        let taken = match read.is_empty() {
            true => 0,
            false => match Pin::new(to).poll_write(cx, read) {
                Poll::Ready(taken) => taken.map_err(|_| Broke::To)?,
                Poll::Pending => 0,
            },
        };
        self.held.extend_from_slice(&read[taken..]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A connection that its other side has reset.
    struct Reset;

    impl AsyncRead for Reset {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
        }
    }

    async fn carry_all(direction: &mut Direction, from: &[u8], room: usize) -> Vec<u8> {
        let (mut to, mut far) = tokio::io::duplex(room);
        let mut from = from;
        let landing = RefCell::new(vec![0; 7].into());
        let carrying =
            async { poll_fn(|cx| direction.poll_carry(&mut from, &mut to, &landing, cx)).await };
        let mut carried = Vec::new();
        let (done, read) = tokio::join!(carrying, far.read_to_end(&mut carried));
        done.unwrap();
        read.unwrap();
        carried
    }

    #[tokio::test]
    async fn everything_arrives_in_order_through_any_room() {
        for room in [1, 3, 7, 64] {
            let mut direction = Direction::from(&b"early, "[..]);
            let carried = carry_all(&mut direction, b"and then the rest of it", room).await;
            assert_eq!(carried, b"early, and then the rest of it", "{room}");
        }
    }

    #[tokio::test]
    async fn the_end_of_one_way_leaves_the_other_open() {
        let (mut near, mut client) = tokio::io::duplex(64);
        let (mut server, mut far) = tokio::io::duplex(64);
        let landing: TunnelLanding = RefCell::new(vec![0; 16].into());
        let (mut up, mut down) = (Direction::from(&b""[..]), Direction::from(&b""[..]));
        client.write_all(b"the last word").await.unwrap();
        client.shutdown().await.unwrap();
        poll_fn(|cx| up.poll_carry(&mut near, &mut server, &landing, cx))
            .await
            .unwrap();
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "the last word");
        far.write_all(b"an answer").await.unwrap();
        drop(far);
        poll_fn(|cx| down.poll_carry(&mut server, &mut near, &landing, cx))
            .await
            .unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "an answer");
    }

    #[tokio::test]
    async fn what_fails_is_known_by_its_side_and_a_client_is_not_its_servers_fault() {
        let landing: TunnelLanding = RefCell::new(vec![0; 16].into());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut sink = tokio::io::sink();
        let from = Direction::from(&b""[..]).poll_carry(&mut Reset, &mut sink, &landing, &mut cx);
        assert_eq!(from, Poll::Ready(Err(Broke::From)));
        let (mut near, far) = tokio::io::duplex(16);
        drop(far);
        let mut empty = tokio::io::empty();
        let to = Direction::from(&b"x"[..]).poll_carry(&mut empty, &mut near, &landing, &mut cx);
        assert_eq!(to, Poll::Ready(Err(Broke::To)));
        let whole = Poll::Ready(Ok(()));
        for (sent, received, ends) in [
            (from, Poll::Pending, Some(Ending::Abandoned)),
            (Poll::Pending, to, Some(Ending::Abandoned)),
            (to, Poll::Pending, None),
            (to, whole, Some(Ending::Broken)),
            (Poll::Pending, from, Some(Ending::Broken)),
            (whole, whole, Some(Ending::Completed)),
            (whole, Poll::Pending, None),
        ] {
            assert_eq!(ending(sent, received), ends, "{sent:?} {received:?}");
        }
    }
}
