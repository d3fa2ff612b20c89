//! A worker's connection, as whoever reads from it and writes to it has it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use super::{LONGEST, Line, Outbox, Peer};

/// A connection whose short writes go through its worker's outbox.
pub(crate) struct Posted {
    pub(super) reading: OwnedReadHalf,
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
