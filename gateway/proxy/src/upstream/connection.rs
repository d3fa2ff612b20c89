//! One HTTP/1.1 connection to a server: a stream and its read buffer.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use gatewright_wire::response::{Asked, HeadError, HeadParser, ResponseFraming, ResponseHead};
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{Manner, Transport};
use crate::outbox::Posted;

/// What is allocated to read a longer body into.
const READ_CHUNK: usize = 16 * 1024;

/// A short response is read into memory that all connections of a worker share
/// and that is therefore warm; what came is copied out. 16 KiB for each
/// connection would push everything else out of the processor's cache.
const LANDING: usize = 4 * 1024;

/// The beginning of a longer response is read into other memory that they share, which
/// is handed on with what came where that is no less than [`LANDING`], and used again once
/// it has gone: 16 KiB fit behind a head.
const LONG_LANDING: usize = 20 * 1024;

/// The most headers that a map has room for which is kept: more than nearly all
/// responses have, and so few that clearing it costs less than another one does.
const MOST_KEPT: usize = 48;

/// Room for a common short response, so that its buffer serves the next one.
const USUAL_RESPONSE: usize = 512;

/// The least room that a read is given: a head fits, and a large body does not
/// move in crumbs.
const LEAST_ROOM: usize = 4 * 1024;

/// Interim responses (1xx) that may come before a final one: servers send one or
/// two, and one that sends them without end is not to keep a worker busy.
const MAX_INTERIM: u8 = 16;

/// A connection that is open, as far as we know.
pub(crate) struct Connection {
    stream: Transport,
    /// What is to be written before anything else: over TLS a head, which
    /// cannot be posted.
    unsent: Vec<u8>,
    parser: HeadParser,
    /// What was read and not yet understood.
    pub(crate) buffer: BytesMut,
    /// Whether the buffer lies in more memory than a short response needs, its own or
    /// what others read into.
    is_wide: bool,
    landing: Rc<Landing>,
    /// Whether the first read of its last response was short.
    is_brief: bool,
    /// Interim responses since the last final one.
    interim: u8,
    /// How it was made.
    pub(super) manner: Rc<Manner>,
}

/// Where a worker's responses land.
pub(crate) struct Landing {
    /// Short ones as they are read.
    bytes: RefCell<Box<[u8]>>,
    /// Longer ones.
    long: RefCell<BytesMut>,
    /// An empty map for the headers of the next one, which held a request's.
    map: Cell<HeaderMap>,
}

impl Default for Landing {
    fn default() -> Self {
        Self {
            bytes: RefCell::new(vec![0; LANDING].into()),
            long: RefCell::default(),
            map: Cell::default(),
        }
    }
}

impl Landing {
    /// Have a response's headers where those of a request were that has been
    /// answered, so that for neither anything is allocated.
    pub(crate) fn keep(&self, mut headers: HeaderMap) {
        if headers.capacity() <= MOST_KEPT {
            headers.clear();
            self.map.set(headers);
        }
    }
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
    /// Interim responses came, and no final one after them.
    #[error("the server sent more than {MAX_INTERIM} interim responses")]
    TooManyInterim,
    /// Its HTTP/2 stream or connection failed.
    #[error("the HTTP/2 exchange with the server failed: {0}")]
    Stream(#[from] h2::Error),
    /// What it sent is no acceptable response head.
    #[error("{0}")]
    Head(#[from] HeadError),
}

impl ConnectionError {
    /// Whether the server has gone, and not said anything that is wrong.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Closed | Self::Stream(_))
    }
}

impl Connection {
    /// A new connection, with what its worker reads into. Boxed once, because it
    /// is handed on several times for each request.
    pub(super) fn new(stream: Transport, landing: &Rc<Landing>, manner: &Rc<Manner>) -> Box<Self> {
        Box::new(Self {
            stream,
            unsent: Vec::new(),
            parser: HeadParser::new(manner.head_limits),
            buffer: BytesMut::new(),
            is_wide: false,
            landing: Rc::clone(landing),
            is_brief: true,
            interim: 0,
            manner: Rc::clone(manner),
        })
    }

    /// The worker's connection, where nothing lies over it.
    pub(crate) fn bare(&self) -> Option<&Posted> {
        self.stream.bare()
    }

    /// The stream, and what was read of it already.
    pub(crate) fn into_parts(self) -> (Transport, BytesMut) {
        (self.stream, self.buffer)
    }

    /// Whether an idle connection has neither been closed nor spoken to us: no
    /// system call unless the socket was reported readable.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet() && self.is_settled()
    }

    /// Whether neither side owes the other a byte that we know of: the server's
    /// socket has taken all that was written, and all that was read is understood.
    pub(crate) fn is_settled(&self) -> bool {
        self.stream.is_clear() && self.unsent.is_empty() && self.buffer.is_empty()
    }

    /// Let go of what a long response was read into, before it rests: others can have
    /// that for theirs.
    pub(super) fn let_go(&mut self) {
        if self.is_wide {
            self.buffer = BytesMut::new();
            self.is_wide = false;
        }
    }

    /// Send a request's head, at the end of this round: it is written where it waits
    /// for that.
    pub(crate) fn post(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        match &self.stream {
            Transport::Plain(stream) => stream.post_with(write),
            Transport::Tls(_) => write(&mut self.unsent),
        }
    }

    /// Write what could not be posted; ready when it is on its way.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Transport::Plain(_) = &self.stream {
            return Poll::Ready(Ok(()));
        }
        while !self.unsent.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unsent))?;
            self.unsent.drain(..written);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Write some of `bytes`.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    /// Read more into the buffer; ready with 0 at the end of the stream.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() - self.buffer.len() < LEAST_ROOM {
            self.buffer.reserve(READ_CHUNK);
            self.is_wide = true;
        }
        pin!(self.stream.read_buf(&mut self.buffer)).poll(cx)
    }

    /// The whole body of a response with this framing, where its length is known
    /// and all of it has come.
    pub(super) fn take_whole(&mut self, framing: ResponseFraming) -> Option<Bytes> {
        match framing {
            ResponseFraming::None | ResponseFraming::Length(0) => Some(Bytes::new()),
            ResponseFraming::Length(length) => {
                let length = usize::try_from(length).ok()?;
                let is_whole = length <= self.buffer.len();
                is_whole.then(|| self.buffer.split_to(length).freeze())
            }
            ResponseFraming::Chunked | ResponseFraming::UntilClose => None,
        }
    }

    /// Read the beginning of a response; ready with 0 at the end of the stream.
    fn poll_land(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = self.landing.bytes.borrow_mut();
        let mut read = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        let read = read.filled();
        copy_into(&mut self.buffer, read);
        Poll::Ready(Ok(read.len()))
    }

    /// Read the beginning of a response that may be long; ready with 0 at the end of the
    /// stream.
    fn poll_land_long(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.let_go();
        let mut long = self.landing.long.borrow_mut();
        if !long.try_reclaim(LONG_LANDING) {
            // Somebody has not let go of what came last.
            *long = BytesMut::with_capacity(LONG_LANDING);
        }
        let read = ready!(pin!(self.stream.read_buf(&mut *long)).poll(cx))?;
        if read < LANDING {
            copy_into(&mut self.buffer, &long);
            long.clear();
        } else {
            self.buffer = long.split();
            self.is_wide = true;
        }
        Poll::Ready(Ok(read))
    }

    /// Read the head of the final response to `asked`, passing over interim ones.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        asked: Asked<'_>,
    ) -> Poll<Result<ResponseHead, ConnectionError>> {
        // What a server has to say may come before it has heard everything.
        if let Transport::Tls(_) = self.stream
            && let Poll::Ready(Err(error)) = self.poll_unsent(cx)
            && self.buffer.is_empty()
        {
            return Poll::Ready(Err(error.into()));
        }
        loop {
            while !self.buffer.is_empty() {
                let map = || self.landing.map.take();
                match self
                    .parser
                    .parse_with(&mut self.buffer, asked, self.is_wide, map)?
                {
                    Some(head) if is_interim(head.status) => {
                        self.interim += 1;
                        if self.interim > MAX_INTERIM {
                            return Poll::Ready(Err(ConnectionError::TooManyInterim));
                        }
                    }
                    Some(head) => {
                        self.interim = 0;
                        return Poll::Ready(Ok(head));
                    }
                    None => break,
                }
            }
            let read = match (self.buffer.is_empty(), self.is_brief) {
                (true, true) => ready!(self.poll_land(cx))?,
                (true, false) => ready!(self.poll_land_long(cx))?,
                (false, _) => ready!(self.poll_fill(cx))?,
            };
            if read == 0 {
                return Poll::Ready(Err(ConnectionError::Closed));
            }
            self.is_brief = read < LANDING;
        }
    }
}

/// Whether another response follows: switching protocols is the last one.
/// Keep a copy of what has been read, with room for a usual response.
fn copy_into(buffer: &mut BytesMut, read: &[u8]) {
    if buffer.capacity() - buffer.len() < read.len() {
        buffer.reserve(read.len().max(USUAL_RESPONSE));
    }
    buffer.extend_from_slice(read);
}

fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http::Method;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::super::{Line, Upstream};
    use super::*;
    use crate::outbox::{Outbox, Peer};

    async fn connection(landing: &Rc<Landing>) -> (Box<Connection>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let (stream, accepted) = tokio::join!(stream, listener.accept());
        let posted = Posted::new(stream.unwrap(), Peer::Server, &Rc::new(Outbox::default()));
        let manner = Rc::new(Manner::plain(1));
        let connection = Connection::new(Transport::Plain(posted), landing, &manner);
        (connection, accepted.unwrap().0)
    }

    /// Have the server answer so many bytes, and read all of them.
    async fn answer(connection: &mut Connection, server: &mut TcpStream, bytes: usize) -> Bytes {
        answer_with(connection, server, &vec![b'x'; bytes]).await
    }

    /// Have the server answer with this body, and read all of it.
    async fn answer_with(
        connection: &mut Connection,
        server: &mut TcpStream,
        body: &[u8],
    ) -> Bytes {
        let bytes = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
        let response = [head.as_bytes(), body].concat();
        server.write_all(&response).await.unwrap();
        let asked = Asked::from(&Method::GET);
        let head = poll_fn(|cx| connection.poll_head(cx, asked)).await.unwrap();
        while connection.buffer.len() < bytes {
            poll_fn(|cx| connection.poll_fill(cx)).await.unwrap();
        }
        connection.take_whole(head.framing).unwrap()
    }

    /// Have it come to rest in a pool of its server's, and out of there again.
    fn rest(connection: Box<Connection>) -> Box<Connection> {
        let upstream = Upstream::at(Vec::new(), Manner::plain(1));
        upstream.give_back(connection, 0);
        match upstream.checkout(0) {
            Some(Line::Http1 { connection, .. }) => connection,
            _ => panic!("it was not kept"),
        }
    }

    /// Whether nobody holds what long responses are read into.
    fn is_free(landing: &Landing) -> bool {
        landing.long.borrow_mut().try_reclaim(LONG_LANDING)
    }

    #[tokio::test]
    async fn who_has_rested_holds_nothing_that_others_read_into() {
        let landing = Rc::default();
        let (mut connection, mut server) = connection(&landing).await;
        // What a long one follows is read as one.
        answer(&mut connection, &mut server, 16 * 1024).await;
        for bytes in [16 * 1024, 128, 16 * 1024, 0, 16 * 1024, 100_000, 5000] {
            let body = answer(&mut connection, &mut server, bytes).await;
            assert_eq!(body.len(), bytes);
            assert!(body.iter().all(|byte| *byte == b'x'));
            assert!(connection.is_settled());
            drop(body);
            connection = rest(connection);
            assert!(is_free(&landing), "after {bytes} bytes");
        }
    }

    #[tokio::test]
    async fn a_short_response_behind_a_long_one_holds_nothing_that_others_read_into() {
        let landing = Rc::default();
        let (mut connection, mut server) = connection(&landing).await;
        answer(&mut connection, &mut server, 16 * 1024).await;
        assert!(!connection.is_brief);
        let short = answer(&mut connection, &mut server, 128).await;
        assert!(connection.is_brief && is_free(&landing));
        assert!(short.iter().all(|byte| *byte == b'x'));
    }

    #[tokio::test]
    async fn who_keeps_a_header_keeps_nothing_that_others_read_into() {
        let landing = Rc::default();
        let (mut connection, mut server) = connection(&landing).await;
        answer(&mut connection, &mut server, 16 * 1024).await;
        let hint = format!(
            "HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n",
            "l".repeat(5000)
        );
        for (interim, bytes) in [("", 8000), (&hint, 100)] {
            let length = bytes.to_string();
            let head =
                format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nA: b\r\n\r\n");
            let response = [head.into_bytes(), vec![0; bytes]].concat();
            server.write_all(&response).await.unwrap();
            let asked = Asked::from(&Method::GET);
            let head = poll_fn(|cx| connection.poll_head(cx, asked)).await.unwrap();
            drop(connection.take_whole(head.framing).unwrap());
            connection = rest(connection);
            assert!(is_free(&landing), "behind {} bytes", interim.len());
            assert_eq!(head.headers["a"], "b");
        }
    }

    #[tokio::test]
    async fn what_was_made_for_a_body_does_not_rest() {
        let landing = Rc::default();
        let (mut connection, mut server) = connection(&landing).await;
        answer(&mut connection, &mut server, 128).await;
        assert!(!connection.is_wide);
        let body = answer(&mut connection, &mut server, 100_000).await;
        assert!(connection.is_wide && body.len() == 100_000);
        assert_eq!(rest(connection).buffer.capacity(), 0);
    }

    #[tokio::test]
    async fn a_body_that_is_kept_is_not_written_over() {
        let landing = Rc::default();
        let (mut connection, mut server) = connection(&landing).await;
        answer(&mut connection, &mut server, 16 * 1024).await;
        let kept = answer(&mut connection, &mut server, 16 * 1024).await;
        assert!(!is_free(&landing), "it lies where others would be read");
        answer_with(&mut connection, &mut server, &[b'y'; 16 * 1024]).await;
        assert!(kept.iter().all(|byte| *byte == b'x'));
    }
}
