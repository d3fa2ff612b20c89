//! A client's stream that tells its connection when bytes come and when they
//! cannot go.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Client;
use crate::opening::{HTTP2_PREFACE, Opening};

/// The stream of a client's connection.
pub(crate) struct Watched<S> {
    stream: S,
    client: Rc<Client>,
    /// Whether bytes between two exchanges begin a request's head. On HTTP/2
    /// they may as well be a ping.
    bytes_begin_a_head: bool,
    /// What has begun, until that is known.
    opening: Option<Opening>,
    write_blocked: bool,
    has_ended: bool,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, client: Rc<Client>, bytes_begin_a_head: bool) -> Self {
        Self {
            stream,
            client,
            bytes_begin_a_head,
            opening: bytes_begin_a_head.then(Opening::default),
            write_blocked: false,
            has_ended: false,
        }
    }

    /// Whether the client has sent its last byte.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The stream, with nobody told any more.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    fn note_write(&mut self, is_pending: bool) {
        if is_pending != self.write_blocked {
            self.write_blocked = is_pending;
            self.client.write_blocked(is_pending);
        }
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
        let has_come = buffer.filled().len() > before;
        self.has_ended |= read.is_ready() && !has_come;
        if self.bytes_begin_a_head && has_come {
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
        match this.opening.take() {
            None => this.poll_stream(cx, buffer),
            Some(opening) => this.poll_opening(cx, opening, buffer),
        }
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
