//! One HTTP/1.1 connection to a server: a stream and its read buffer.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use gatewright_wire::response::{HeadError, HeadLimits, HeadParser, ResponseHead};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

/// What is allocated to read into. Heads and bodies are slices of it, so a new
/// one is needed only when it is used up: after some forty small responses.
const READ_CHUNK: usize = 16 * 1024;

/// The least room that a read is given: a head fits, and a large body does not
/// move in crumbs.
const LEAST_ROOM: usize = 4 * 1024;

/// A connection that is open, as far as we know.
pub(crate) struct Connection {
    stream: TcpStream,
    parser: HeadParser,
    /// What was read and not yet understood.
    pub(crate) buffer: BytesMut,
}

/// Why nothing usable came from a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// Reading or writing failed.
    #[error("the connection to the server broke: {0}")]
    Io(#[from] io::Error),
    /// The server closed the connection before its response.
    #[error("the server closed the connection before it answered")]
    Closed,
    /// What it sent is no acceptable HTTP/1.1 response head.
    #[error("{0}")]
    Head(#[from] HeadError),
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, limits: HeadLimits) -> Self {
        Self {
            stream,
            parser: HeadParser::new(limits),
            buffer: BytesMut::new(),
        }
    }

    /// Whether an idle connection has neither been closed nor spoken to us: no
    /// system call unless the socket was reported readable.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let read = self.stream.try_read(&mut byte);
        self.buffer.is_empty()
            && matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Write what fits without waiting. Returns how many bytes went out.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Write some of `bytes`.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    /// Read more into the buffer; ready with 0 at the end of the stream.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() - self.buffer.len() < LEAST_ROOM {
            self.buffer.reserve(READ_CHUNK);
        }
        pin!(self.stream.read_buf(&mut self.buffer)).poll(cx)
    }

    /// Read the head of the final response, passing over interim ones.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
    ) -> Poll<Result<ResponseHead, ConnectionError>> {
        loop {
            while !self.buffer.is_empty() {
                match self.parser.parse(&mut self.buffer, method)? {
                    Some(interim) if interim.status.is_informational() => {}
                    Some(head) => return Poll::Ready(Ok(head)),
                    None => break,
                }
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(ConnectionError::Closed));
            }
        }
    }
}
