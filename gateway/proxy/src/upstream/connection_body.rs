//! A response's body as it comes on a connection of HTTP/1.1. With its last byte
//! the connection goes back to the idle ones; dropped before, it is closed.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gatewright_wire::{BodyDecoder, Decoded, ResponseHead};
use http_body::Frame;

use super::response_body::Arriving;
use super::{Connection, CutShort, Upstream};
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
    sending: Option<Box<Sending>>,
    deadlines: Rc<Deadlines>,
}

impl ConnectionBody {
    /// Begin with what came along with the head, and has not all come.
    pub(crate) fn begin(
        worker: &Rc<Worker>,
        connection: Box<Connection>,
        head: &ResponseHead,
        sending: Option<Box<Sending>>,
    ) -> Self {
        Self {
            connection: Some(connection),
            decoder: BodyDecoder::new(head.framing),
            reusable: head.reusable,
            sending,
            deadlines: Rc::clone(&worker.deadlines),
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
