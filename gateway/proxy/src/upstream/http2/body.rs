//! A response's body on its way from a stream to the client. Dropped before its
//! end, it resets the stream.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use gatewright_host::Ending;
use gatewright_wire::{ResponseHead, hop};
use h2::RecvStream;
use http::header;
use http_body::{Frame, SizeHint};

use super::OnStream;
use super::conversation::Sending;
use super::session::Open;
use crate::deadlines::Deadline;
use crate::upstream::{Begun, CutShort, InFlight};
use crate::worker::Worker;

/// What is left of an exchange on a stream after the response's head.
pub(crate) struct StreamBody {
    worker: Rc<Worker>,
    in_flight: InFlight,
    open: Open,
    received: RecvStream,
    /// What of the request has not been taken yet.
    sending: Option<Sending>,
    idle: Deadline,
    idle_limit: Duration,
    /// What is announced and has not come.
    remaining: Option<u64>,
    ended: bool,
}

impl StreamBody {
    /// Begin after the head has come.
    pub(super) fn begin(
        worker: &Rc<Worker>,
        mut in_flight: InFlight,
        stream: OnStream,
        head: &ResponseHead,
    ) -> Begun {
        let is_sent = stream.sending.is_done;
        let Some(received) = stream.received.filter(|received| !received.is_end_stream()) else {
            in_flight.ended(Ending::Completed);
            return Begun::Whole(Bytes::new());
        };
        let length = head.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let idle = worker.deadlines.register();
        let idle_limit = worker.timeouts().body_idle;
        idle.arm(idle_limit);
        Begun::Stream(Box::new(Self {
            worker: Rc::clone(worker),
            in_flight,
            open: stream.open,
            received,
            sending: (!is_sent).then_some(stream.sending),
            idle,
            idle_limit,
            remaining: length,
            ended: false,
        }))
    }

    /// Go on sending, as far as the server takes it.
    fn send(&mut self, cx: &mut Context<'_>) {
        let Some(sending) = &mut self.sending else {
            return;
        };
        let before = sending.sent;
        let progress = sending.poll_send(cx);
        if sending.sent != before {
            // A body that moves towards the server is no standstill.
            self.idle.arm(self.idle_limit);
        }
        // Where it takes no more, the response may still be whole.
        if progress.is_ready() {
            self.sending = None;
        }
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, h2::Error>> {
        match ready!(self.received.poll_data(cx)) {
            Some(Ok(data)) => {
                // Whoever asks for a part has room for it.
                self.received.flow_control().release_capacity(data.len())?;
                let rest = self.remaining.as_mut();
                if let Some(rest) = rest {
                    *rest = rest.saturating_sub(data.len() as u64);
                }
                Poll::Ready(Ok(Some(Frame::data(data))))
            }
            Some(Err(error)) => Poll::Ready(Err(error)),
            None => {
                let trailers = ready!(self.received.poll_trailers(cx))?;
                Poll::Ready(Ok(trailers.map(|mut trailers| {
                    hop::strip_from_trailers(&mut trailers);
                    Frame::trailers(trailers)
                })))
            }
        }
    }

    fn finish(&mut self) {
        self.ended = true;
        self.open.lasts_until(self.worker.deadlines.now());
        self.in_flight.ended(Ending::Completed);
    }
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let body = self.get_mut();
        if body.ended {
            return Poll::Ready(None);
        }
        if body.in_flight.upstream().is_cut() {
            body.in_flight.ended(Ending::Broken);
            return Poll::Ready(Some(Err(CutShort::Removed)));
        }
        body.send(cx);
        match body.poll_part(cx) {
            Poll::Pending => body.idle.poll_passed(cx).map(|()| {
                body.open.session().retire();
                body.in_flight.ended(Ending::TimedOut);
                Some(Err(CutShort::Stalled))
            }),
            Poll::Ready(Ok(Some(frame))) => {
                body.idle.arm(body.idle_limit);
                if frame.is_trailers() || body.received.is_end_stream() {
                    body.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Ok(None)) => {
                body.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Err(error)) => {
                body.in_flight.ended(Ending::Broken);
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
