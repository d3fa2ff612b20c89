//! A response's body on its way to the client. With its last byte the
//! connection goes back to the idle ones; dropped before, it is closed.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use gatewright_host::Ending;
use gatewright_wire::{BodyDecoder, BodyError, Decoded, ResponseHead};
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};

use super::{Connection, InFlight, StreamBody, Switched};
use crate::deadlines::Deadline;
use crate::request_body::Sending;
use crate::worker::Worker;

/// What is left of an exchange with a server after the response's head.
pub(crate) struct UpstreamBody {
    worker: Rc<Worker>,
    in_flight: InFlight,
    /// None once the body is over.
    connection: Option<Box<Connection>>,
    decoder: BodyDecoder,
    reusable: bool,
    /// What of the request the connection has not accepted yet.
    sending: Option<Sending>,
    /// Registered only when the body streams.
    idle: Option<Deadline>,
    idle_limit: Duration,
}

/// Why a response's body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutShort {
    /// The connection broke.
    #[error("the connection to the server broke: {0}")]
    Io(#[from] std::io::Error),
    /// The server broke its framing.
    #[error("{0}")]
    Framing(#[from] BodyError),
    /// The server was removed, and the time that it had to finish is over.
    #[error("the server was removed, and its time to finish is over")]
    Removed,
    /// Its HTTP/2 stream or connection failed.
    #[error("the HTTP/2 exchange with the server failed: {0}")]
    Stream(#[from] h2::Error),
    /// Nothing moved for too long.
    #[error("the server's response stood still for too long")]
    Stalled,
}

/// A response body that has just begun.
pub(crate) enum Begun {
    /// It was in the buffer as a whole; its connection is idle again.
    Whole(Bytes),
    /// It streams.
    Streaming(Box<UpstreamBody>),
    /// It streams over HTTP/2.
    Stream(Box<StreamBody>),
    /// There is none: the connection speaks another protocol now.
    Switched(Box<Switched>),
}

impl UpstreamBody {
    /// Begin with what came along with the head.
    pub(crate) fn begin(
        worker: &Rc<Worker>,
        in_flight: InFlight,
        connection: Box<Connection>,
        head: &ResponseHead,
        sending: Option<Sending>,
    ) -> Begun {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Begun::Switched(Box::new(Switched {
                connection,
                in_flight,
            }));
        }
        let mut body = Self {
            worker: Rc::clone(worker),
            in_flight,
            connection: Some(connection),
            decoder: BodyDecoder::new(head.framing),
            reusable: head.reusable,
            sending,
            idle: None,
            idle_limit: worker.timeouts().body_idle,
        };
        if let Some(whole) = body.take_whole() {
            return Begun::Whole(whole);
        }
        let idle = worker.deadlines.register();
        idle.arm(body.idle_limit);
        body.idle = Some(idle);
        Begun::Streaming(Box::new(body))
    }

    /// The whole body, where its length is known and all of it has arrived.
    fn take_whole(&mut self) -> Option<Bytes> {
        let connection = self.connection.as_mut()?;
        let arrived = connection.buffer.len() as u64;
        if !self.decoder.is_ended() && self.decoder.remaining().is_none_or(|rest| rest > arrived) {
            return None;
        }
        // A body of known length cannot be malformed.
        let whole = match self.decoder.decode(&mut connection.buffer) {
            Ok(Decoded::Data(data)) => data,
            _ => Bytes::new(),
        };
        self.finish();
        Some(whole)
    }

    /// The response is whole: the connection may serve again, unless the
    /// server said otherwise or still owes us the reading of a request.
    fn finish(&mut self) {
        self.in_flight.ended(Ending::Completed);
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.reusable && self.sending.is_none() {
            let upstream = self.in_flight.upstream();
            upstream.give_back(connection, self.worker.deadlines.now());
        }
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Part>, CutShort>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Ok(None));
        };
        if let Some(sending) = &mut self.sending {
            let before = sending.sent();
            let progress = sending.poll_send(cx, connection);
            if let Some(idle) = self.idle.as_ref().filter(|_| sending.sent() != before) {
                // A body that moves towards the server is no standstill.
                idle.arm(self.idle_limit);
            }
            match progress {
                Poll::Ready(Ok(())) => self.sending = None,
                // The response may still be whole; the connection is spent.
                Poll::Ready(Err(_)) => {
                    self.sending = None;
                    self.reusable = false;
                }
                Poll::Pending => {}
            }
        }
        loop {
            match self.decoder.decode(&mut connection.buffer)? {
                Decoded::Data(data) => return Poll::Ready(Ok(Some(Part::Data(data)))),
                Decoded::Trailers(fields) => return Poll::Ready(Ok(Some(Part::Trailers(fields)))),
                Decoded::End => return Poll::Ready(Ok(None)),
                Decoded::NeedMore => {}
            }
            if ready!(connection.poll_fill(cx))? == 0 {
                self.reusable = false;
                self.decoder.at_eof()?;
            }
        }
    }
}

enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let body = self.get_mut();
        let part = match body.in_flight.upstream().is_cut() {
            true => Poll::Ready(Err(CutShort::Removed)),
            false => body.poll_part(cx),
        };
        match part {
            Poll::Pending => {
                let stalled = body.idle.as_ref().map(|idle| idle.poll_passed(cx));
                if stalled.is_some_and(|stalled| stalled.is_ready()) {
                    body.in_flight.ended(Ending::TimedOut);
                    return Poll::Ready(Some(Err(CutShort::Stalled)));
                }
                Poll::Pending
            }
            Poll::Ready(Ok(Some(part))) => {
                if let Some(idle) = &body.idle {
                    idle.arm(body.idle_limit);
                }
                if body.decoder.is_ended() {
                    body.finish();
                }
                Poll::Ready(Some(Ok(match part {
                    Part::Data(data) => Frame::data(data),
                    Part::Trailers(fields) => Frame::trailers(fields),
                })))
            }
            Poll::Ready(Ok(None)) => {
                body.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Err(error)) => {
                body.in_flight.ended(Ending::Broken);
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.decoder
            .remaining()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
