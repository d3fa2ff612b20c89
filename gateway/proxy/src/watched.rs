//! A client's stream that tells its connection when bytes come and when they
//! cannot go, and whether a client has left that waits for its answer.
//!
//! hyper could look for that itself. It would read twice more for each request, and
//! into a new buffer, as the request's head still lies in the one that it has.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Client;
use crate::early::Early;
use crate::heads::Heads;
use crate::opening::{HTTP2_PREFACE, Opening};
use crate::outbox::Layered;

/// The stream of a client's connection.
pub(crate) struct Watched<S> {
    stream: Early<S>,
    client: Rc<Client>,
    /// Whether there is one exchange at a time, between two of which bytes begin a
    /// request's head. On HTTP/2 they may as well be a ping.
    is_http1: bool,
    /// What has begun, until that is known.
    opening: Option<Opening>,
    /// The heads that have come of which no exchange has begun.
    heads: Heads,
    /// Whether hyper waits for bytes: it finds out itself when none come any more.
    is_read: bool,
    /// Whether the task is woken when the client leaves, though hyper does not read.
    looks_out: bool,
    /// Whether that is so since the task was woken: nothing comes while it runs.
    is_silent: bool,
    /// Whether the client has left before it had its answer.
    has_left: bool,
    write_blocked: bool,
    has_ended: bool,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, client: Rc<Client>, is_http1: bool) -> Self {
        Self {
            stream: Early::new(Bytes::new(), stream),
            client,
            is_http1,
            opening: is_http1.then(Opening::default),
            heads: Heads::default(),
            is_read: false,
            looks_out: false,
            is_silent: false,
            has_left: false,
            write_blocked: false,
            has_ended: false,
        }
    }

    /// Whether the client has sent its last byte.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What was read ahead, and the stream, with nobody told any more.
    pub(crate) fn into_parts(self) -> (Bytes, S) {
        self.stream.into_parts()
    }

    fn note_write(&mut self, is_pending: bool) {
        if is_pending != self.write_blocked {
            self.write_blocked = is_pending;
            self.client.write_blocked(is_pending);
        }
    }
}

impl<S: AsyncRead + Layered + Unpin> Watched<S> {
    /// The exchange of the next request begins. Who has sent more requests behind it
    /// gets its answer even if that was all. Behind the head of one with a body are
    /// not only heads; there, more is not looked for.
    pub(crate) fn begins(&mut self, has_body: bool) {
        match has_body {
            true => self.heads = Heads::default(),
            false => self.heads.begins(),
        }
        let connection = self.stream.connection();
        if self.heads.any() {
            // What befalls the client meanwhile has to be known when their turn comes.
            connection.watch();
        } else if !self.client.has_asked() && !connection.is_watched() {
            self.client.look.put_off(&self.client.worker);
        }
    }

    /// Look whether the client has left. What it sends instead, as the rest of a
    /// body or its next request, is kept for hyper.
    pub(crate) fn look(&mut self, cx: &mut Context<'_>) -> bool {
        if self.heads.any() || self.is_read || self.stream.holds() || self.looks_later() {
            return false;
        }
        let ahead = self.stream.poll_ahead(cx);
        self.looks_out = ahead.is_pending();
        self.is_silent = self.looks_out;
        self.has_left = matches!(ahead, Poll::Ready(Ok(0) | Err(_)));
        self.has_ended |= self.has_left;
        self.has_left
    }

    /// Whether it is soon enough to look in a moment, and the runtime does not know of the
    /// connection.
    fn looks_later(&self) -> bool {
        let is_watched = self.stream.connection().is_watched();
        !is_watched && self.client.look.is_put_off(&self.client.worker)
    }

    /// Whether the client has left before it had its answer: looked for when the task
    /// has been woken, before its exchange goes on, and afterwards where the task would
    /// not be woken else.
    pub(crate) fn has_left(&mut self, cx: &mut Context<'_>, is_woken: bool) -> bool {
        if is_woken {
            self.is_silent = false;
            self.client.look.wakes(&self.client.worker);
        }
        let looks = is_woken == self.looks_out && self.client.is_in_exchange();
        self.has_left || looks && self.look(cx)
    }
}

impl<S: AsyncRead + Unpin> Watched<S> {
    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let come = &buffer.filled()[before..];
        self.has_ended |= read.is_ready() && come.is_empty();
        if self.is_http1 && !come.is_empty() {
            if !self.client.is_in_exchange() {
                self.heads.come(come);
            }
            self.client.reads();
        }
        read
    }

    /// Read the first bytes of the connection.
    fn poll_opening(
        &mut self,
        cx: &mut Context<'_>,
        mut opening: Opening,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Behind what is held there is room in the buffer for so much.
        let mut place = [0; HTTP2_PREFACE.len()];
        loop {
            let is_first = opening.held().is_empty();
            let before = buffer.filled().len();
            let mut next = ReadBuf::new(&mut place);
            let read = match is_first {
                true => self.poll_stream(cx, buffer),
                false => self.poll_stream(cx, &mut next),
            };
            if read.is_pending() {
                self.opening = Some(opening);
                return Poll::Pending;
            }
            if is_first {
                if !opening.holds(&buffer.filled()[before..]) {
                    return read;
                }
                buffer.set_filled(before);
            } else if !opening.holds(next.filled()) {
                buffer.put_slice(opening.held());
                buffer.put_slice(next.filled());
                return read;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_silent {
            this.is_read = true;
            return Poll::Pending;
        }
        let read = match this.opening.take() {
            None => this.poll_stream(cx, buffer),
            Some(opening) => this.poll_opening(cx, opening, buffer),
        };
        this.is_read = read.is_pending();
        this.looks_out &= read.is_pending();
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if written.is_ready() {
            this.client.pace.wrote();
        }
        this.note_write(written.is_pending());
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// A stream, lent to hyper by who looks meanwhile whether its client has left.
pub(crate) struct Lent<'a, S>(pub(crate) &'a RefCell<Watched<S>>);

impl<S: AsyncRead + Unpin> AsyncRead for Lent<'_, S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<'_, S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}
