//! A request's body on its way to a server: streamed as it comes, and kept up
//! to a limit so that another server can be given it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use gatewright_model::config::Limits;
use gatewright_wire::{RequestFraming, chunk, strip_trailers};
use http::{HeaderMap, HeaderName, Version, header};
use tokio::sync::oneshot;

use crate::facts::Facts;
use crate::upload::Upload;
use crate::upstream::Connection;

/// The body of one request, over all its attempts.
pub(crate) struct RequestBody {
    /// What has not been read yet; none once its end was seen.
    source: Option<Upload>,
    framing: RequestFraming,
    /// The length that the client announced.
    length: Option<u64>,
    /// Whether it came over HTTP/2, where a reset may look like an end.
    is_http2: bool,
    /// What was read, as long as it is within the limit. Copied, because a
    /// piece of a byte may hold on to a whole read buffer.
    kept: BytesMut,
    keep_limit: usize,
    /// More was read than may be kept: it cannot be sent again.
    outgrown: bool,
    /// Those that may be forwarded, once they have come.
    trailers: Option<Box<HeaderMap>>,
    /// Fields that are not taken as trailers, as the head has them from somebody
    /// else.
    withheld: Vec<HeaderName>,
    received: u64,
    /// Where the same is counted for whoever is told of the request.
    noted: Option<Arc<AtomicU64>>,
    size_limit: u64,
    /// Where a copy goes once all has come.
    copy: Option<oneshot::Sender<Bytes>>,
}

/// Why a request's body could not be sent on.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The client left or broke its framing.
    Client,
    /// The client sent more than it may.
    TooLarge,
    /// The server does not take it: it may have answered already.
    Server,
}

impl RequestBody {
    /// The body that a request came with.
    ///
    /// HTTP/2 and HTTP/3 may have both a length and trailers, HTTP/1.1 only one of them.
    /// The length is kept, as servers like to know it, unless `Trailer`
    /// announces trailers; those that nobody announced may be dropped
    /// (RFC 9110 §6.5.1), and are.
    pub(crate) fn new(source: Upload, facts: &Facts, limits: &Limits) -> Self {
        let length = source.length();
        let is_http2 = facts.version == Version::HTTP_2;
        let is_later = facts.version >= Version::HTTP_2;
        let has_trailers = || is_later && facts.headers.contains_key(header::TRAILER);
        let framing = match length {
            _ if source.is_end_stream() => RequestFraming::None,
            Some(length) if !has_trailers() => RequestFraming::Length(length),
            _ => RequestFraming::Chunked,
        };
        let has_body = framing != RequestFraming::None;
        Self {
            source: has_body.then_some(source),
            framing,
            length,
            is_http2,
            kept: BytesMut::new(),
            keep_limit: limits.replay_body,
            outgrown: false,
            trailers: None,
            withheld: Vec::new(),
            received: 0,
            noted: facts.noted.received(),
            size_limit: limits.request_body.unwrap_or(u64::MAX),
            copy: None,
        }
    }

    /// A body that is there.
    pub(crate) fn of_bytes(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self {
            source: None,
            framing: match length {
                0 => RequestFraming::None,
                length => RequestFraming::Length(length),
            },
            length: Some(length),
            is_http2: false,
            kept: BytesMut::from(bytes),
            keep_limit: usize::MAX,
            outgrown: false,
            trailers: None,
            withheld: Vec::new(),
            received: length,
            noted: None,
            size_limit: u64::MAX,
            copy: None,
        }
    }

    /// No body.
    pub(crate) fn none() -> Self {
        Self::of_bytes(Bytes::new())
    }

    /// A copy of what is to come, if that can be kept and comes whole. To be
    /// called before anything is read.
    pub(crate) fn copied(&mut self) -> oneshot::Receiver<Bytes> {
        let (sender, copied) = oneshot::channel();
        self.copy = Some(sender);
        if self.source.is_none() {
            self.pass_copy();
        }
        copied
    }

    /// All has come: pass the copy that is wanted, unless there was too much.
    fn pass_copy(&mut self) {
        if let Some(copy) = self.copy.take()
            && !self.outgrown
        {
            // Who wanted it may have gone.
            let _ = copy.send(Bytes::copy_from_slice(&self.kept));
        }
    }

    /// Take none of these as trailers: the head says what others have decided
    /// about them.
    pub(crate) fn withhold(&mut self, names: &[HeaderName]) {
        // Only such a body has trailers.
        if self.framing == RequestFraming::Chunked {
            self.withheld.extend_from_slice(names);
        }
    }

    /// How the server is told its length.
    pub(crate) fn framing(&self) -> RequestFraming {
        self.framing
    }

    /// Whether it is known to be larger than the client may send.
    pub(crate) fn is_too_large(&self) -> bool {
        self.length.is_some_and(|length| length > self.size_limit)
    }

    /// Whether it can be sent from its beginning, once more or for the first time.
    pub(crate) fn is_replayable(&self) -> bool {
        !self.outgrown
    }

    /// The next piece as the server is to see it.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, SendError>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(Ok(None));
        };
        let frame = match ready!(source.poll_frame(cx)) {
            None => return Poll::Ready(self.ended()),
            Some(Err(_)) => return Poll::Ready(Err(SendError::Client)),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => {
                self.received += data.len() as u64;
                if let Some(noted) = &self.noted {
                    noted.store(self.received, Ordering::Relaxed);
                }
                if self.length.is_some_and(|length| self.received > length) {
                    // Behind the announced end a server would read another request.
                    return Poll::Ready(Err(SendError::Client));
                }
                if self.received > self.size_limit {
                    return Poll::Ready(Err(SendError::TooLarge));
                }
                self.keep(&data);
                Poll::Ready(Ok(Some(data)))
            }
            Err(frame) => {
                self.trailers = frame.into_trailers().ok().and_then(|mut trailers| {
                    strip_trailers(&mut trailers, &self.withheld);
                    (!trailers.is_empty()).then(|| Box::new(trailers))
                });
                self.source = None;
                Poll::Ready(self.whole())
            }
        }
    }

    /// The source has no more. A client that resets its HTTP/2 stream without
    /// an error code ends it just so: that is no end of the body.
    fn ended(&mut self) -> Result<Option<Bytes>, SendError> {
        let source = self.source.take();
        let was_reset = self.is_http2 && source.is_some_and(|source| !source.is_end_stream());
        if was_reset {
            return Err(SendError::Client);
        }
        self.whole()
    }

    /// Nothing more comes: fine, if what was announced has come.
    fn whole(&mut self) -> Result<Option<Bytes>, SendError> {
        match self.length {
            Some(length) if length != self.received => Err(SendError::Client),
            _ => {
                self.pass_copy();
                Ok(None)
            }
        }
    }

    fn keep(&mut self, data: &Bytes) {
        if self.outgrown || self.kept.len() + data.len() > self.keep_limit {
            self.outgrown = true;
            self.kept = BytesMut::new();
            self.copy = None;
        } else {
            self.kept.extend_from_slice(data);
        }
    }
}

/// A body from its beginning: what was kept of it, then the rest.
pub(crate) struct Pieces {
    body: RequestBody,
    /// How many of the kept bytes have been given this time.
    replayed: usize,
}

impl Pieces {
    /// Give `body` once more, or for the first time.
    pub(crate) fn of(body: RequestBody) -> Self {
        Self { body, replayed: 0 }
    }

    /// The body, to be given again.
    pub(crate) fn into_body(self) -> RequestBody {
        self.body
    }

    /// The next piece; none at the end.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, SendError>> {
        let kept = self.body.kept.get(self.replayed..);
        if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
            let again = Bytes::copy_from_slice(kept);
            self.replayed = self.body.kept.len();
            return Poll::Ready(Ok(Some(again)));
        }
        let piece = ready!(self.body.poll_piece(cx));
        self.replayed = self.body.kept.len();
        Poll::Ready(piece)
    }

    /// The trailers, once the last piece has been given: those that may be
    /// forwarded.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        self.body.trailers.as_deref().cloned()
    }
}

/// One sending of a request's body over HTTP/1.1.
pub(crate) struct Sending {
    pieces: Pieces,
    /// Bytes in front of `data`: a chunk's size or its end.
    prefix: BytesMut,
    data: Bytes,
    /// Everything has been handed to `prefix` and `data`.
    drained: bool,
    /// Bytes that the connection has accepted.
    sent: u64,
}

impl Sending {
    /// Send `body` from its beginning.
    pub(crate) fn new(body: RequestBody) -> Self {
        let drained = body.framing == RequestFraming::None;
        Self {
            pieces: Pieces::of(body),
            prefix: BytesMut::new(),
            data: Bytes::new(),
            drained,
            sent: 0,
        }
    }

    /// The body, to be sent again, once all of it has been sent.
    pub(crate) fn take_body(&mut self) -> Option<RequestBody> {
        let nothing = || Self::new(RequestBody::none());
        self.is_done()
            .then(|| std::mem::replace(self, nothing()).into_body())
    }

    /// The body, to be sent again.
    pub(crate) fn into_body(self) -> RequestBody {
        self.pieces.into_body()
    }

    /// Bytes that the connection has accepted so far: it moves, or it stalls.
    /// The last few kilobytes may still wait for room in the socket.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether the connection has accepted everything.
    pub(crate) fn is_done(&self) -> bool {
        self.drained && self.prefix.is_empty() && self.data.is_empty()
    }

    /// Whether the connection has accepted all that the client has sent so far,
    /// and there is more to come.
    pub(crate) fn waits_for_client(&self) -> bool {
        !self.drained && self.prefix.is_empty() && self.data.is_empty()
    }

    /// Send on; ready when the connection has accepted everything.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
    ) -> Poll<Result<(), SendError>> {
        loop {
            ready!(self.poll_flush(cx, connection))?;
            if self.drained {
                return Poll::Ready(Ok(()));
            }
            let piece = ready!(self.pieces.poll_next(cx))?;
            self.frame(piece);
        }
    }

    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
    ) -> Poll<Result<(), SendError>> {
        while !self.prefix.is_empty() {
            let written = ready!(connection.poll_write(cx, &self.prefix));
            let written = written.map_err(|_| SendError::Server)?;
            self.prefix.advance(written);
            self.sent += written as u64;
        }
        while !self.data.is_empty() {
            let written = ready!(connection.poll_write(cx, &self.data));
            let written = written.map_err(|_| SendError::Server)?;
            self.data.advance(written);
            self.sent += written as u64;
        }
        Poll::Ready(Ok(()))
    }

    fn frame(&mut self, piece: Option<Bytes>) {
        let chunked = self.pieces.body.framing == RequestFraming::Chunked;
        match piece {
            // Small pieces go out in one write with their frame.
            Some(data) if chunked => chunk::encode_chunk(&mut self.prefix, &data),
            Some(data) => self.data = data,
            None => {
                if chunked {
                    chunk::encode_last(&mut self.prefix, self.pieces.body.trailers.as_deref());
                }
                self.drained = true;
            }
        }
    }
}
