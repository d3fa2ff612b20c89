//! A response's body as it comes on a connection of HTTP/1.1. With its last byte
//! the connection goes back to the idle ones; dropped before, it is closed.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gatewright_host::Ending;
use gatewright_wire::{BodyDecoder, Decoded, ResponseHead};
use http::StatusCode;
use http_body::Frame;

use super::response_body::Arriving;
use super::{Begun, Connection, CutShort, InFlight, ResponseBody, Switched, Upstream};
use crate::deadlines::Deadlines;
use crate::request_body::Sending;
use crate::worker::Worker;

/// A body and the connection that it comes on.
pub(crate) struct ConnectionBody {
    /// None once the body is over.
    connection: Option<Box<Connection>>,
    decoder: BodyDecoder,
    reusable: bool,
    /// What of the request the connection has not accepted yet.
    sending: Option<Sending>,
    deadlines: Rc<Deadlines>,
}

impl ConnectionBody {
    /// Begin with what came along with the head.
    pub(crate) fn begin(
        worker: &Rc<Worker>,
        mut in_flight: InFlight,
        connection: Box<Connection>,
        head: &ResponseHead,
        sending: Option<Sending>,
    ) -> Begun {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Begun::Switched(Box::new(Switched {
                connection,
                in_flight,
                place: None,
            }));
        }
        let mut body = Self {
            connection: Some(connection),
            decoder: BodyDecoder::new(head.framing),
            reusable: head.reusable,
            sending,
            deadlines: Rc::clone(&worker.deadlines),
        };
        if let Some(whole) = body.take_whole() {
            in_flight.ended(Ending::Completed);
            body.finish(in_flight.upstream());
            return Begun::Whole(whole);
        }
        Begun::Streaming(ResponseBody::begin(worker, in_flight, body))
    }

    /// The whole body, where its length is known and all of it has arrived.
    fn take_whole(&mut self) -> Option<Bytes> {
        let connection = self.connection.as_mut()?;
        let arrived = connection.buffer.len() as u64;
        if !self.decoder.is_ended() && self.decoder.remaining().is_none_or(|rest| rest > arrived) {
            return None;
        }
        // A body of known length cannot be malformed.
        match self.decoder.decode(&mut connection.buffer) {
            Ok(Decoded::Data(data)) => Some(data),
            _ => Some(Bytes::new()),
        }
    }
}

impl Arriving for ConnectionBody {
    fn send(&mut self, cx: &mut Context<'_>) -> bool {
        let (Some(sending), Some(connection)) = (&mut self.sending, &mut self.connection) else {
            return false;
        };
        let before = sending.sent();
        let progress = sending.poll_send(cx, connection);
        let has_moved = sending.sent() != before;
        if let Poll::Ready(sent) = progress {
            self.sending = None;
            // The response may still be whole; the connection is spent.
            self.reusable &= sent.is_ok();
        }
        has_moved
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, CutShort>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Ok(None));
        };
        loop {
            match self.decoder.decode(&mut connection.buffer)? {
                Decoded::Data(data) => return Poll::Ready(Ok(Some(Frame::data(data)))),
                Decoded::Trailers(fields) => return Poll::Ready(Ok(Some(Frame::trailers(fields)))),
                Decoded::End => return Poll::Ready(Ok(None)),
                Decoded::NeedMore => {}
            }
            if ready!(connection.poll_fill(cx))? == 0 {
                self.reusable = false;
                self.decoder.at_eof()?;
            }
        }
    }

    fn is_ended(&self) -> bool {
        self.decoder.is_ended()
    }

    /// The connection may serve again, unless the server said otherwise or still
    /// owes us the reading of a request.
    fn finish(&mut self, upstream: &Upstream) {
        if let Some(connection) = self.connection.take()
            && self.reusable
            && self.sending.is_none()
        {
            upstream.give_back(connection, self.deadlines.now());
        }
    }

    fn remaining(&self) -> Option<u64> {
        self.decoder.remaining()
    }
}
