//! A response's body as it comes on a stream. Dropped before its end, it resets
//! the stream.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gatewright_host::Ending;
use gatewright_wire::{ResponseHead, hop};
use h2::RecvStream;
use http::header;
use http_body::Frame;

use super::OnStream;
use super::conversation::Sending;
use super::session::Open;
use crate::upstream::{Arriving, Begun, CutShort, InFlight, ResponseBody, Upstream, read_aside};
use crate::worker::Worker;

/// A body and the stream that it comes on.
pub(crate) struct StreamBody {
    open: Open,
    received: RecvStream,
    /// What of the request has not been taken yet.
    sending: Option<Sending>,
    /// What is announced and has not come.
    remaining: Option<u64>,
    has_trailers: bool,
}

impl StreamBody {
    /// Begin after the head has come.
    pub(super) fn begin(
        worker: &Rc<Worker>,
        mut in_flight: InFlight,
        stream: OnStream,
        head: &ResponseHead,
    ) -> Begun {
        let (is_sent, is_bodiless) = (stream.sending.is_done, stream.is_bodiless);
        let Some(received) = stream.received.filter(|received| !received.is_end_stream()) else {
            in_flight.ended(Ending::Completed);
            return Begun::Whole(Bytes::new());
        };
        let length = head.headers.get(header::CONTENT_LENGTH);
        let body = Self {
            open: stream.open,
            received,
            sending: (!is_sent).then_some(stream.sending),
            remaining: length.and_then(|length| length.to_str().ok()?.parse().ok()),
            has_trailers: false,
        };
        let body = ResponseBody::begin(worker, in_flight, body);
        if is_bodiless {
            // Nobody would ask it for an end that has not come yet.
            read_aside(worker, body, 0);
            return Begun::Whole(Bytes::new());
        }
        Begun::Stream(body)
    }
}

impl Arriving for StreamBody {
    fn send(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(sending) = &mut self.sending else {
            return false;
        };
        let before = sending.sent;
        let progress = sending.poll_send(cx);
        let has_moved = sending.sent != before;
        // Where it takes no more, the response may still be whole.
        if progress.is_ready() {
            self.sending = None;
        }
        has_moved
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, CutShort>> {
        if let Some(data) = ready!(self.received.poll_data(cx)).transpose()? {
            // Whoever asks for a part has room for it.
            self.received.flow_control().release_capacity(data.len())?;
            if let Some(rest) = &mut self.remaining {
                *rest = rest.saturating_sub(data.len() as u64);
            }
            return Poll::Ready(Ok(Some(Frame::data(data))));
        }
        let trailers = ready!(self.received.poll_trailers(cx))?;
        self.has_trailers = trailers.is_some();
        Poll::Ready(Ok(trailers.map(|mut trailers| {
            hop::strip_from_trailers(&mut trailers);
            Frame::trailers(trailers)
        })))
    }

    fn is_ended(&self) -> bool {
        self.has_trailers || self.received.is_end_stream()
    }

    fn finish(&mut self, _: &Upstream) {}

    fn stood_still(&self) {
        self.open.session().doubt();
    }

    fn remaining(&self) -> Option<u64> {
        self.remaining
    }
}
