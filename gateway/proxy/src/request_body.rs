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

/// The body of one request, over all its attempts. Most requests have none: what
/// others need is apart, so that those do not carry its size.
pub(crate) struct RequestBody(Option<Box<Body>>);

/// A body that there is.
struct Body {
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
    /// The body that a request came with, which is one that has a body.
    ///
    /// HTTP/2 and HTTP/3 may have both a length and trailers, HTTP/1.1 only one of them.
    /// The length is kept, as servers like to know it, unless `Trailer`
    /// announces trailers; those that nobody announced may be dropped
    /// (RFC 9110 §6.5.1), and are.
    pub(crate) fn new(source: Upload, facts: &Facts, limits: &Limits) -> Self {
        let length = source.length();
        let is_later = facts.version >= Version::HTTP_2;
        let has_trailers = || is_later && facts.headers.contains_key(header::TRAILER);
        Self(Some(Box::new(Body {
            source: Some(source),
            framing: match length {
                Some(length) if !has_trailers() => RequestFraming::Length(length),
                _ => RequestFraming::Chunked,
            },
            length,
            is_http2: facts.version == Version::HTTP_2,
            keep_limit: limits.replay_body,
            noted: facts.noted.received(),
            size_limit: limits.request_body.unwrap_or(u64::MAX),
            ..Body::of_bytes(Bytes::new())
        })))
    }

    /// A body that is there.
    pub(crate) fn of_bytes(bytes: Bytes) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(Body::of_bytes(bytes))))
    }

    /// No body.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// A copy of what is to come, if that can be kept and comes whole. To be
    /// called before anything is read.
    pub(crate) fn copied(&mut self) -> oneshot::Receiver<Bytes> {
        let (sender, copied) = oneshot::channel();
        match &mut self.0 {
            Some(body) => body.copy_to(sender),
            // Who wants it is there: it has the other end.
            None => drop(sender.send(Bytes::new())),
        }
        copied
    }

    /// Take none of these as trailers: the head says what others have decided
    /// about them.
    pub(crate) fn withhold(&mut self, names: &[HeaderName]) {
        // Only such a body has trailers.
        if let Some(body) = &mut self.0
            && body.framing == RequestFraming::Chunked
        {
            body.withheld.extend_from_slice(names);
        }
    }

    /// How the server is told its length.
    pub(crate) fn framing(&self) -> RequestFraming {
        let body = self.0.as_ref();
        body.map_or(RequestFraming::None, |body| body.framing)
    }

    /// Whether it is known to be larger than the client may send.
    pub(crate) fn is_too_large(&self) -> bool {
        let length = self.0.as_ref().and_then(|body| Some((body, body.length?)));
        length.is_some_and(|(body, length)| length > body.size_limit)
    }

    /// Whether it can be sent from its beginning, once more or for the first time.
    pub(crate) fn is_replayable(&self) -> bool {
        !self.0.as_ref().is_some_and(|body| body.outgrown)
    }
}

impl Body {
    fn of_bytes(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self {
            source: None,
            framing: RequestFraming::Length(length),
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

    /// Pass a copy once all has come.
    fn copy_to(&mut self, sender: oneshot::Sender<Bytes>) {
        self.copy = Some(sender);
        if self.source.is_none() {
            self.pass_copy();
        }
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
        let Some(body) = &mut self.body.0 else {
            return Poll::Ready(Ok(None));
        };
        let kept = body.kept.get(self.replayed..);
        if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
            let again = Bytes::copy_from_slice(kept);
            self.replayed = body.kept.len();
            return Poll::Ready(Ok(Some(again)));
        }
        let piece = ready!(body.poll_piece(cx));
        self.replayed = body.kept.len();
        Poll::Ready(piece)
    }

    /// The trailers, once the last piece has been given: those that may be
    /// forwarded.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        self.body.0.as_ref()?.trailers.as_deref().cloned()
    }
}

/// One sending of a request's body over HTTP/1.1; none where there is no body.
pub(crate) struct Sending(Option<Box<Framed>>);

/// A body as it is written.
struct Framed {
    pieces: Pieces,
    is_chunked: bool,
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
        let framing = body.framing();
        if framing == RequestFraming::None {
            return Self(None);
        }
        Self(Some(Box::new(Framed {
            is_chunked: framing == RequestFraming::Chunked,
            pieces: Pieces::of(body),
            prefix: BytesMut::new(),
            data: Bytes::new(),
            drained: false,
            sent: 0,
        })))
    }

    /// The body, to be sent again, once all of it has been sent.
    pub(crate) fn take_body(&mut self) -> Option<RequestBody> {
        let sent = self.is_done();
        sent.then(|| Self(self.0.take()).into_body())
    }

    /// The body, to be sent again.
    pub(crate) fn into_body(self) -> RequestBody {
        let none = RequestBody::none;
        self.0.map_or_else(none, |framed| framed.pieces.into_body())
    }

    /// Bytes that the connection has accepted so far: it moves, or it stalls.
    /// The last few kilobytes may still wait for room in the socket.
    pub(crate) fn sent(&self) -> u64 {
        self.0.as_ref().map_or(0, |framed| framed.sent)
    }

    /// Whether the connection has accepted everything.
    pub(crate) fn is_done(&self) -> bool {
        let framed = self.0.as_ref();
        framed.is_none_or(|framed| framed.drained && framed.is_written())
    }

    /// Whether the connection has accepted all that the client has sent so far,
    /// and there is more to come.
    pub(crate) fn waits_for_client(&self) -> bool {
        let framed = self.0.as_ref();
        framed.is_some_and(|framed| !framed.drained && framed.is_written())
    }

    /// Send on; ready when the connection has accepted everything.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
    ) -> Poll<Result<(), SendError>> {
        let Some(framed) = &mut self.0 else {
            return Poll::Ready(Ok(()));
        };
        loop {
            ready!(framed.poll_flush(cx, connection))?;
            if framed.drained {
                return Poll::Ready(Ok(()));
            }
            let piece = ready!(framed.pieces.poll_next(cx))?;
            framed.frame(piece);
        }
    }
}

impl Framed {
    /// Whether the connection has accepted all that was framed.
    fn is_written(&self) -> bool {
        self.prefix.is_empty() && self.data.is_empty()
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
        match piece {
            // Small pieces go out in one write with their frame.
            Some(data) if self.is_chunked => chunk::encode_chunk(&mut self.prefix, &data),
            Some(data) => self.data = data,
            None => {
                if self.is_chunked {
                    let body = self.pieces.body.0.as_ref();
                    let trailers = body.and_then(|body| body.trailers.as_deref());
                    chunk::encode_last(&mut self.prefix, trailers);
                }
                self.drained = true;
            }
        }
    }
}
