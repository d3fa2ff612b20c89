//! QUIC as the HTTP/3 library sees it.
//!
//! The library holds whatever it is given until a frame is whole, and reads on
//! while its reader still has a piece to take. So what goes through here is cut
//! and checked by [`RequestFrames`] first, and a stream gives nothing more as long
//! as the last piece of its body has not been taken: what a client can make the
//! gateway hold is what flow control lets it send, and one head a stream.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use gatewright_wire::http3::{FrameError, Piece, RequestFrames};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ConnectionError, ReadError, VarInt, WriteError};

use super::beside::{Beside, Given, Latest};

/// What may come on a stream that is no request's, over its whole life: settings,
/// and the priorities that browsers tell of each request, which nobody minds.
const MOST_CONTROL: u64 = 1024 * 1024;

/// A client's connection.
pub(super) struct Transport {
    quic: quinn::Connection,
    requests: Awaited<(quinn::SendStream, quinn::RecvStream)>,
    others: Awaited<quinn::RecvStream>,
    opening: Awaited<quinn::SendStream>,
    latest: Latest,
    max_head: u64,
}

/// A future of the connection's that has begun.
type Awaited<T> = Option<Pin<Box<dyn Future<Output = Result<T, ConnectionError>>>>>;

impl Transport {
    /// A connection whose requests have heads of so many bytes at most.
    pub(super) fn new(quic: quinn::Connection, max_head: u64, latest: Latest) -> Self {
        Self {
            quic,
            requests: None,
            others: None,
            opening: None,
            latest,
            max_head,
        }
    }
}

/// Go on waiting, or begin to.
fn poll_awaited<T>(
    awaited: &mut Awaited<T>,
    cx: &mut Context<'_>,
    begin: impl FnOnce() -> Pin<Box<dyn Future<Output = Result<T, ConnectionError>>>>,
) -> Poll<Result<T, ConnectionError>> {
    let come = ready!(awaited.get_or_insert_with(begin).as_mut().poll(cx));
    *awaited = None;
    Poll::Ready(come)
}

impl quic::Connection<Bytes> for Transport {
    type RecvStream = Control;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Control, ConnectionErrorIncoming>> {
        let quic = &self.quic;
        let begin = || {
            let quic = quic.clone();
            Box::pin(async move { quic.accept_uni().await }) as _
        };
        let stream = ready!(poll_awaited(&mut self.others, cx, begin)).map_err(lost)?;
        Poll::Ready(Ok(Control {
            stream,
            left: MOST_CONTROL,
        }))
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Request, ConnectionErrorIncoming>> {
        let quic = &self.quic;
        let begin = || {
            let quic = quic.clone();
            Box::pin(async move { quic.accept_bi().await }) as _
        };
        let accepted = ready!(poll_awaited(&mut self.requests, cx, begin));
        let (sending, receiving) = accepted.map_err(lost)?;
        let given = Rc::new(Given::default());
        let beside = Beside::of(&self.quic, &sending, Rc::clone(&given));
        self.latest.replace(Some(beside));
        Poll::Ready(Ok(Request {
            sending: Sending::new(sending),
            receiving: Receiving {
                stream: receiving,
                frames: RequestFrames::new(self.max_head),
                read: Bytes::new(),
                given,
            },
        }))
    }

    fn opener(&self) -> Opener {
        Opener(self.quic.clone())
    }
}

impl quic::OpenStreams<Bytes> for Transport {
    type BidiStream = Request;
    type SendStream = Sending;

    fn poll_open_bidi(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Request, StreamErrorIncoming>> {
        Poll::Ready(Err(no_requests_of_ours()))
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Sending, StreamErrorIncoming>> {
        let quic = &self.quic;
        let begin = || {
            let quic = quic.clone();
            Box::pin(async move { quic.open_uni().await }) as _
        };
        let opened = ready!(poll_awaited(&mut self.opening, cx, begin));
        Poll::Ready(opened.map(Sending::new).map_err(lost_stream))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.quic.close(number(code.value()), reason);
    }
}

/// Who could open streams of the gateway's own. It opens none after its first.
pub(super) struct Opener(quinn::Connection);

impl quic::OpenStreams<Bytes> for Opener {
    type BidiStream = Request;
    type SendStream = Sending;

    fn poll_open_bidi(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Request, StreamErrorIncoming>> {
        Poll::Ready(Err(no_requests_of_ours()))
    }

    fn poll_open_send(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Sending, StreamErrorIncoming>> {
        Poll::Ready(Err(no_requests_of_ours()))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.0.close(number(code.value()), reason);
    }
}

fn no_requests_of_ours() -> StreamErrorIncoming {
    StreamErrorIncoming::Unknown("a server makes no requests".into())
}

/// The stream of a request and its answer.
pub(super) struct Request {
    sending: Sending,
    receiving: Receiving,
}

impl quic::BidiStream<Bytes> for Request {
    type SendStream = Sending;
    type RecvStream = Receiving;

    fn split(self) -> (Sending, Receiving) {
        (self.sending, self.receiving)
    }
}

impl quic::RecvStream for Request {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.receiving.poll_data(cx)
    }

    fn stop_sending(&mut self, code: u64) {
        self.receiving.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.receiving.recv_id()
    }
}

impl quic::SendStream<Bytes> for Request {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.sending.poll_ready(cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.sending.poll_finish(cx)
    }

    fn reset(&mut self, code: u64) {
        self.sending.reset(code);
    }

    fn send_data<D: Into<WriteBuf<Bytes>>>(&mut self, data: D) -> Result<(), StreamErrorIncoming> {
        self.sending.send_data(data)
    }

    fn send_id(&self) -> StreamId {
        self.sending.send_id()
    }
}

/// What comes of a request.
pub(super) struct Receiving {
    stream: quinn::RecvStream,
    frames: RequestFrames,
    /// What has come and has not been looked at.
    read: Bytes,
    given: Rc<Given>,
}

impl Receiving {
    /// Refuse the rest of the stream, and say so to the library as if the client
    /// had ended it.
    fn refuse(&mut self, code: Code) -> StreamErrorIncoming {
        quic::RecvStream::stop_sending(self, code.value());
        StreamErrorIncoming::StreamTerminated {
            error_code: code.value(),
        }
    }
}

impl quic::RecvStream for Receiving {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        if self.given.is_held() {
            // The library has a piece to give first, and asks again after it.
            return Poll::Pending;
        }
        loop {
            match self.frames.next(&mut self.read) {
                Ok(Some(Piece::Framing(bytes))) => return Poll::Ready(Ok(Some(bytes))),
                Ok(Some(Piece::Data(bytes))) => {
                    self.given.gives(bytes.len());
                    return Poll::Ready(Ok(Some(bytes)));
                }
                Ok(None) => {}
                Err(FrameError::TooLong(_)) => {
                    return Poll::Ready(Err(self.refuse(Code::H3_EXCESSIVE_LOAD)));
                }
                Err(FrameError::Malformed(_)) => {
                    return Poll::Ready(Err(self.refuse(Code::H3_MESSAGE_ERROR)));
                }
                Err(FrameError::Unexpected(_)) => {
                    return Poll::Ready(Err(self.refuse(Code::H3_FRAME_UNEXPECTED)));
                }
            }
            let read = pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx);
            match ready!(read) {
                Ok(Some(chunk)) => self.read = chunk.bytes,
                Ok(None) if self.frames.is_between_two() => return Poll::Ready(Ok(None)),
                Ok(None) => return Poll::Ready(Err(self.refuse(Code::H3_FRAME_ERROR))),
                Err(error) => return Poll::Ready(Err(unread(error))),
            }
        }
    }

    fn stop_sending(&mut self, code: u64) {
        // It may have ended already.
        let _ = self.stream.stop(number(code));
    }

    fn recv_id(&self) -> StreamId {
        id(self.stream.id())
    }
}

/// A stream of the client's that is no request's.
pub(super) struct Control {
    stream: quinn::RecvStream,
    left: u64,
}

impl quic::RecvStream for Control {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let reading = pin!(self.stream.read_chunk(usize::MAX, true));
        let chunk = match ready!(reading.poll(cx)) {
            Ok(chunk) => chunk.map(|chunk| chunk.bytes),
            Err(error) => return Poll::Ready(Err(unread(error))),
        };
        let length = chunk.as_ref().map_or(0, Bytes::len) as u64;
        Poll::Ready(match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Ok(chunk)
            }
            None => Err(StreamErrorIncoming::StreamTerminated {
                error_code: Code::H3_EXCESSIVE_LOAD.value(),
            }),
        })
    }

    fn stop_sending(&mut self, code: u64) {
        // It may have ended already.
        let _ = self.stream.stop(number(code));
    }

    fn recv_id(&self) -> StreamId {
        id(self.stream.id())
    }
}

/// What goes to the client on a stream.
pub(super) struct Sending {
    stream: quinn::SendStream,
    /// What has not gone yet.
    writing: Option<WriteBuf<Bytes>>,
}

impl Sending {
    fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream,
            writing: None,
        }
    }
}

impl quic::SendStream<Bytes> for Sending {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        if let Some(writing) = &mut self.writing {
            while writing.has_remaining() {
                let stream = Pin::new(&mut self.stream);
                let written = ready!(stream.poll_write(cx, writing.chunk())).map_err(unwritten)?;
                writing.advance(written);
            }
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let finished = self.stream.finish();
        Poll::Ready(finished.map_err(|error| StreamErrorIncoming::Unknown(Box::new(error))))
    }

    fn reset(&mut self, code: u64) {
        // It may have ended already.
        let _ = self.stream.reset(number(code));
    }

    fn send_data<D: Into<WriteBuf<Bytes>>>(&mut self, data: D) -> Result<(), StreamErrorIncoming> {
        self.writing = Some(data.into());
        Ok(())
    }

    fn send_id(&self) -> StreamId {
        id(self.stream.id())
    }
}

fn number(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

#[expect(clippy::expect_used, reason = "both are integers of at most 62 bits")]
fn id(stream: quinn::StreamId) -> StreamId {
    StreamId::try_from(u64::from(stream)).expect("a stream has an id")
}

fn lost(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(closed) => ConnectionErrorIncoming::ApplicationClose {
            error_code: closed.error_code.into_inner(),
        },
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(std::sync::Arc::new(error)),
    }
}

fn lost_stream(error: ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming {
        connection_error: lost(error),
    }
}

fn unread(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        ReadError::ConnectionLost(error) => lost_stream(error),
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn unwritten(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        WriteError::ConnectionLost(error) => lost_stream(error),
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}
