//! A worker's connection, as whoever reads from it and writes to it has it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

use super::{LONGEST, Line, Outbox, Peer, Socket};

/// A connection whose short writes go through its worker's outbox.
pub(crate) struct Posted {
    pub(super) line: Rc<Line>,
    /// Whom the reading side wakes when something comes.
    reader: Option<Waker>,
    /// Whether it will: nothing has come since that was asked for.
    is_awaited: bool,
    outbox: Rc<Outbox>,
}

impl Posted {
    /// Wait for what comes next, and look at it without taking it; 0 bytes when
    /// the other side has ended.
    pub(crate) async fn peek(&mut self, next: &mut [u8]) -> io::Result<usize> {
        self.is_awaited = false;
        poll_fn(|cx| self.line.socket.poll_peek(cx, next)).await
    }

    pub(crate) fn new(socket: impl Into<Socket>, peer: Peer, outbox: &Rc<Outbox>) -> Self {
        Self {
            line: Rc::new(Line {
                peer,
                socket: socket.into(),
                rest: RefCell::default(),
                failure: Cell::new(None),
                is_posted: Cell::new(false),
                writer: RefCell::default(),
            }),
            reader: None,
            is_awaited: false,
            outbox: Rc::clone(outbox),
        }
    }

    /// Post bytes, however many. Should the connection be broken, reading
    /// tells: what breaks it wakes the reader too.
    pub(super) fn post(&self, bytes: &[u8]) {
        self.post_with(|out| out.extend_from_slice(bytes));
    }

    /// The same with bytes that are written where they wait for the round's end.
    pub(crate) fn post_with(&self, write: impl FnOnce(&mut Vec<u8>)) {
        self.outbox.post(&self.line, write);
    }

    /// Whether all that was written has been taken.
    pub(crate) fn is_clear(&self) -> bool {
        let line = &self.line;
        !line.is_posted.get() && line.failure.get().is_none() && line.rest.borrow().is_empty()
    }

    /// Send now what was posted. Returns whether the socket has taken all that was
    /// written.
    pub(crate) fn send_all(&self) -> bool {
        self.send_posted();
        self.is_clear()
    }

    /// Take the socket away, to which all that was written has to be sent by then:
    /// nothing can be done with it here any more.
    pub(crate) fn take_socket(&self) -> io::Result<TcpStream> {
        debug_assert!(self.is_clear(), "what was written comes first");
        self.line.socket.take()
    }

    /// Send now what was posted, so that something else can come after it.
    fn send_posted(&self) {
        if self.line.is_posted.get() {
            self.outbox.send();
        }
    }

    /// Read without waiting. Who has waited before is let go of: it may have ended,
    /// and its memory is kept for as long as it can be woken.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_awaited = false;
        self.reader = None;
        self.line.socket.try_read(buffer)
    }

    /// How many bytes that were sent the peer's system has yet to take.
    pub(crate) fn untaken(&self) -> usize {
        self.line.rest.borrow().len() + self.line.socket.untaken()
    }

    /// Whether the runtime is told when something comes.
    pub(crate) fn is_watched(&self) -> bool {
        self.line.socket.is_watched()
    }

    /// Have it told, be it waited for or not. Should that fail, whoever reads finds out.
    pub(crate) fn watch(&self) {
        let _ = self.line.socket.watch();
    }

    /// Whether who asks is going to be woken when something comes, and nothing has
    /// come: what the runtime would find out at greater length.
    fn will_wake(&self, cx: &Context<'_>) -> bool {
        let is_reader = |reader: &Waker| reader.will_wake(cx.waker());
        self.is_awaited
            && self.reader.as_ref().is_some_and(is_reader)
            && self.line.socket.is_silent()
    }

    /// Take note that the reading side wakes who has asked in vain. A task that has
    /// done enough for once is told to wait without that.
    fn note_reader(&mut self, cx: &Context<'_>) {
        self.is_awaited = coop::has_budget_remaining();
        match &mut self.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            None => self.reader = Some(cx.waker().clone()),
        }
    }
}

impl AsyncRead for Posted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.will_wake(cx) {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        match this.line.socket.poll_read(cx, buffer) {
            Poll::Pending => {
                this.note_reader(cx);
                return Poll::Pending;
            }
            Poll::Ready(read) => {
                this.is_awaited = false;
                read?;
            }
        }
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
        ready!(self.line.poll_ready(cx))?;
        if bytes.len() <= LONGEST {
            self.post(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        self.send_posted();
        ready!(self.line.poll_ready(cx))?;
        let written = ready!(self.line.poll_write(cx, bytes));
        self.outbox.count();
        Poll::Ready(written)
    }

    /// What was posted will be sent without anyone's asking.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// All is sent now; the peer is told that it was all when the round ends, unless
    /// the connection is closed before.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send_posted();
        ready!(self.line.poll_ready(cx))?;
        self.outbox.end(&self.line);
        Poll::Ready(Ok(()))
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
