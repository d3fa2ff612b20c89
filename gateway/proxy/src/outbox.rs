//! What a worker has to send, sent together at the end of a round.
//!
//! A worker works in rounds: the kernel names the sockets on which something
//! came, and each task that waited for one of them runs once. What the tasks
//! write meanwhile is posted here, and when the last of them has run it goes
//! out, socket after socket, with one system call each as before. A peer on the
//! same machine is woken once a round, not once a write, and the kernel's
//! sending code runs while it is warm.
//!
//! Nothing waits for a timer: the round of a single request is that request.
//! Who writes more than a few kilobytes at once, or closes, does not wait for
//! the round's end, nor do those who wrote before.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The longest write that is posted: copying a longer one costs more than
/// sending it at once.
const LONGEST: usize = 4 * 1024;

/// Bytes that a round may gather before they are sent in the middle of it.
const FULL: usize = 128 * 1024;

/// A worker's writes of the present round.
#[derive(Default)]
pub(crate) struct Outbox {
    to_servers: RefCell<Letters>,
    to_clients: RefCell<Letters>,
    /// Lines whose socket was full: they wait until it takes more.
    held: RefCell<Vec<Rc<Line>>>,
    /// Wakes whoever ends the round.
    closer: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Letters {
    bytes: BytesMut,
    /// Each with where its bytes end, which is where the next one's begin.
    addressed: Vec<(Rc<Line>, usize)>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    Server,
    Client,
}

/// The sending side of a connection.
struct Line {
    peer: Peer,
    /// None only while it is being dropped.
    socket: Option<OwnedWriteHalf>,
    /// What the socket did not take.
    rest: RefCell<BytesMut>,
    failure: Cell<Option<io::ErrorKind>>,
    /// Whether the outbox has a letter of it.
    is_posted: Cell<bool>,
    /// Wakes whoever wants to write more, when the rest has gone.
    writer: RefCell<Option<Waker>>,
}

impl Outbox {
    /// End every round, for ever. One task of a worker does this, so that it
    /// runs after all that were woken before it.
    pub(crate) async fn serve(&self) {
        poll_fn(|cx| {
            let mut closer = self.closer.borrow_mut();
            if closer.is_none() {
                *closer = Some(cx.waker().clone());
            }
            drop(closer);
            self.send();
            self.held
                .borrow_mut()
                .retain(|line| is_used(line) && line.poll_rest(cx).is_pending());
            Poll::<()>::Pending
        })
        .await;
    }

    /// Send what has been posted: first to the servers, who have work to do
    /// while the answers go out. Sent one kind after the other, each kind of
    /// peer is kept busy and does not fall asleep in between.
    pub(crate) fn send(&self) {
        self.send_all(&self.to_servers);
        self.send_all(&self.to_clients);
    }

    fn send_all(&self, letters: &RefCell<Letters>) {
        let mut letters = letters.borrow_mut();
        let Letters { bytes, addressed } = &mut *letters;
        let mut start = 0;
        for (line, end) in addressed.drain(..) {
            if line.send(&bytes[start..end]) && is_used(&line) {
                self.held.borrow_mut().push(line);
            }
            start = end;
        }
        bytes.clear();
    }

    fn post(&self, line: &Rc<Line>, bytes: &[u8]) {
        let letters = match line.peer {
            Peer::Server => &self.to_servers,
            Peer::Client => &self.to_clients,
        };
        let mut letters = letters.borrow_mut();
        if letters.addressed.is_empty()
            && let Some(closer) = &*self.closer.borrow()
        {
            closer.wake_by_ref();
        }
        letters.bytes.extend_from_slice(bytes);
        let end = letters.bytes.len();
        match letters.addressed.last_mut() {
            // A head and its body go out as one.
            Some((last, its_end)) if Rc::ptr_eq(last, line) => *its_end = end,
            _ => letters.addressed.push((Rc::clone(line), end)),
        }
        line.is_posted.set(true);
        if end > FULL {
            drop(letters);
            self.send();
        }
    }
}

/// Whether the connection is still somebody's: one that was cut does not stay
/// open for what its peer does not take.
fn is_used(line: &Rc<Line>) -> bool {
    Rc::strong_count(line) > 1
}

impl Line {
    /// Send now what fits; returns whether a rest has come to be, which
    /// somebody has to see to.
    fn send(&self, bytes: &[u8]) -> bool {
        self.is_posted.set(false);
        let mut rest = self.rest.borrow_mut();
        if !rest.is_empty() {
            rest.extend_from_slice(bytes);
            return false;
        }
        match self.try_write(bytes) {
            Ok(sent) if sent == bytes.len() => false,
            Ok(sent) => {
                rest.extend_from_slice(&bytes[sent..]);
                true
            }
            Err(error) => {
                self.failure.set(Some(error.kind()));
                false
            }
        }
    }

    /// Ready when the rest is gone, or the connection is.
    fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut rest = self.rest.borrow_mut();
        while !rest.is_empty() {
            match self.poll_write(cx, &rest) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(sent)) => rest.advance(sent),
                Poll::Ready(Err(error)) => {
                    self.failure.set(Some(error.kind()));
                    rest.clear();
                }
            }
        }
        *rest = BytesMut::new();
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        Poll::Ready(())
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write(bytes) {
                Ok(0) if !bytes.is_empty() => ready!(self.socket()?.poll_write_ready(cx))?,
                result => return Poll::Ready(result),
            }
        }
    }

    /// How much went out without waiting.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket()?.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    fn socket(&self) -> io::Result<&TcpStream> {
        let socket = self.socket.as_ref().map(AsRef::as_ref);
        socket.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Nothing may be written past bytes that wait already.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(failure) = self.failure.get() {
            return Poll::Ready(Err(failure.into()));
        }
        if self.rest.borrow().is_empty() {
            return Poll::Ready(Ok(()));
        }
        *self.writer.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The reading side closes the socket: shutting it down before that
        // would only be one more system call.
        if let Some(socket) = self.socket.take() {
            socket.forget();
        }
    }
}

/// A connection whose short writes go through its worker's outbox.
pub(crate) struct Posted {
    reading: OwnedReadHalf,
    line: Rc<Line>,
    outbox: Rc<Outbox>,
}

impl Posted {
    /// Wait for what comes next, and look at it without taking it; 0 bytes when
    /// the other side has ended.
    pub(crate) async fn peek(&mut self, next: &mut [u8]) -> io::Result<usize> {
        self.reading.peek(next).await
    }

    pub(crate) fn new(stream: TcpStream, peer: Peer, outbox: &Rc<Outbox>) -> Self {
        let (reading, socket) = stream.into_split();
        Self {
            reading,
            line: Rc::new(Line {
                peer,
                socket: Some(socket),
                rest: RefCell::default(),
                failure: Cell::new(None),
                is_posted: Cell::new(false),
                writer: RefCell::default(),
            }),
            outbox: Rc::clone(outbox),
        }
    }

    /// Post bytes, however many. Should the connection be broken, reading
    /// tells: what breaks it wakes the reader too.
    pub(crate) fn post(&self, bytes: &[u8]) {
        self.outbox.post(&self.line, bytes);
    }

    /// Whether all that was written has been taken.
    pub(crate) fn is_clear(&self) -> bool {
        let line = &self.line;
        !line.is_posted.get() && line.failure.get().is_none() && line.rest.borrow().is_empty()
    }

    /// Send now what was posted, so that something else can come after it.
    fn send_posted(&self) {
        if self.line.is_posted.get() {
            self.outbox.send();
        }
    }

    /// Read without waiting.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading.try_read(buffer)
    }
}

impl AsyncRead for Posted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.reading).poll_read(cx, buffer))?;
        match this.line.failure.get() {
            // The writing side has had the cause; here it looks like an end.
            Some(failure) if buffer.filled().len() == before => Poll::Ready(Err(failure.into())),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Posted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { line, outbox, .. } = &*self;
        ready!(line.poll_ready(cx))?;
        if bytes.len() <= LONGEST {
            outbox.post(line, bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        self.send_posted();
        ready!(line.poll_ready(cx))?;
        line.poll_write(cx, bytes)
    }

    /// What was posted will be sent without anyone's asking.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send_posted();
        ready!(self.line.poll_ready(cx))?;
        let shut = SockRef::from(self.line.socket()?).shutdown(Shutdown::Write);
        Poll::Ready(match shut {
            // The peer was first.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            shut => shut,
        })
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        let has_rest = !self.line.rest.borrow().is_empty();
        if has_rest && let Some(closer) = &*self.outbox.closer.borrow() {
            // It holds the line, and lets go of it now.
            closer.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::LocalSet;

    use super::*;

    async fn pair(outbox: &Rc<Outbox>) -> (Posted, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let (stream, accepted) = tokio::join!(stream, listener.accept());
        let posted = Posted::new(stream.unwrap(), Peer::Server, outbox);
        (posted, accepted.unwrap().0)
    }

    /// Run a test with somebody who ends the rounds.
    async fn with_rounds<F: Future>(test: impl FnOnce(Rc<Outbox>) -> F) -> F::Output {
        let outbox = Rc::new(Outbox::default());
        let served = Rc::clone(&outbox);
        let local = LocalSet::new();
        local.spawn_local(async move { served.serve().await });
        local.run_until(test(outbox)).await
    }

    #[tokio::test]
    async fn what_is_posted_waits_for_the_rounds_end() {
        let outbox = Rc::new(Outbox::default());
        let (posted, peer) = pair(&outbox).await;
        posted.post(b"one");
        let mut buffer = [0; 8];
        // The socket itself is asked: what the runtime knows of it is older.
        let early = SockRef::from(&peer).peek(&mut [MaybeUninit::uninit()]);
        assert_eq!(early.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        outbox.send();
        peer.readable().await.unwrap();
        assert_eq!(peer.try_read(&mut buffer).unwrap(), 3);
    }

    #[tokio::test]
    async fn short_and_long_writes_keep_their_order() {
        with_rounds(|outbox| async move {
            let (mut posted, mut peer) = pair(&outbox).await;
            let long = vec![b'l'; LONGEST + 1];
            posted.write_all(b"short").await.unwrap();
            posted.write_all(&long).await.unwrap();
            posted.write_all(b"again").await.unwrap();
            posted.shutdown().await.unwrap();
            let mut read = Vec::new();
            peer.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, [&b"short"[..], &long, b"again"].concat());
        })
        .await;
    }

    #[tokio::test]
    async fn a_peer_that_reads_slowly_gets_everything() {
        with_rounds(|outbox| async move {
            let (posted, mut peer) = pair(&outbox).await;
            let bytes: Vec<u8> = (0..20_000_000_u32).map(|at| at as u8).collect();
            for piece in bytes.chunks(1_000_000) {
                posted.post(piece);
            }
            let mut read = vec![0; bytes.len()];
            peer.read_exact(&mut read).await.unwrap();
            assert!(read == bytes);
        })
        .await;
    }

    #[tokio::test]
    async fn a_writer_waits_while_the_socket_is_full_and_goes_on_afterwards() {
        with_rounds(|outbox| async move {
            let (mut posted, mut peer) = pair(&outbox).await;
            posted.post(&vec![0; 20_000_000]);
            let more = std::future::poll_fn(|cx| {
                let written = Pin::new(&mut posted).poll_write(cx, b"more");
                Poll::Ready(written.is_pending())
            });
            assert!(more.await, "the rest of the first write goes first");
            let reading = async {
                let mut read = Vec::new();
                peer.read_to_end(&mut read).await.unwrap();
                read.len()
            };
            let writing = async {
                posted.write_all(b"more").await.unwrap();
                posted.shutdown().await.unwrap();
            };
            let (read, ()) = tokio::join!(reading, writing);
            assert_eq!(read, 20_000_004);
        })
        .await;
    }

    #[tokio::test]
    async fn a_connection_that_is_given_up_is_closed_whatever_its_peer_has_not_taken() {
        with_rounds(|outbox| async move {
            let (posted, mut peer) = pair(&outbox).await;
            posted.post(&vec![0; 20_000_000]);
            tokio::task::yield_now().await;
            assert!(!posted.is_clear(), "the socket takes less than that");
            drop(posted);
            let mut read = Vec::new();
            // It ends, with or without a reset, and before everything came.
            let _ = peer.read_to_end(&mut read).await;
            assert!(read.len() < 20_000_000);
            assert!(outbox.held.borrow().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn a_broken_connection_fails_the_next_write() {
        let outbox = Rc::new(Outbox::default());
        let (mut posted, peer) = pair(&outbox).await;
        peer.set_zero_linger().unwrap();
        drop(peer);
        let mut buffer = [0];
        posted.reading.readable().await.unwrap();
        posted.try_read(&mut buffer).unwrap_err();
        posted.post(b"lost");
        outbox.send();
        posted.write_all(b"noticed").await.unwrap_err();
    }
}
