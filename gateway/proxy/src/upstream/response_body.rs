//! A response's body on its way to the client, whichever protocol it comes by.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gatewright_host::Ending;
use gatewright_wire::BodyError;
use http_body::{Frame, SizeHint};

use super::{ConnectionBody, InFlight, StreamBody, Switched, Upstream};
use crate::breaker::STANDSTILL;
use crate::deadlines::Deadline;
use crate::worker::Worker;

/// A response body that has just begun.
pub(crate) enum Begun {
    /// All of it has come; its connection is idle again.
    Whole(Bytes),
    /// It streams.
    Streaming(Box<ResponseBody<ConnectionBody>>),
    /// It streams over HTTP/2.
    Stream(Box<ResponseBody<StreamBody>>),
    /// There is none: the connection speaks another protocol now.
    Switched(Box<Switched>),
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
    /// It could not be compressed.
    #[error("the body cannot be compressed: {0}")]
    Coding(std::io::Error),
    /// Nothing moved for too long.
    #[error("the server's response stood still for too long")]
    Stalled,
}

/// What a body comes by. Dropped before its end, the server is told.
pub(crate) trait Arriving {
    /// Send what is left of the request: whether some of it has moved.
    fn send(&mut self, cx: &mut Context<'_>) -> bool;

    /// The next part; none at the end.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, CutShort>>;

    /// Whether no part comes any more.
    fn is_ended(&self) -> bool;

    /// All has come: what it came by may serve again.
    fn finish(&mut self, upstream: &Upstream);

    /// Nothing has come for too long.
    fn stood_still(&self) {}

    /// Bytes that are announced and have not come.
    fn remaining(&self) -> Option<u64>;
}

/// What is left of an exchange with a server after the response's head.
pub(crate) struct ResponseBody<A> {
    arriving: A,
    in_flight: InFlight,
    idle: Deadline,
    idle_limit: Duration,
    /// The tick at which the last part was given, until the next one is asked for.
    gave_at: Option<u64>,
    /// Until this tick a break says nothing of the server, which may have tired of
    /// waiting for its client.
    excused_until: u64,
    is_over: bool,
}

impl<A: Arriving> ResponseBody<A> {
    /// Begin one that streams. Boxed once, because it is handed on several times.
    pub(super) fn begin(worker: &Rc<Worker>, in_flight: InFlight, arriving: A) -> Box<Self> {
        let idle = worker.deadlines.register();
        let idle_limit = worker.timeouts().body_idle;
        idle.arm(idle_limit);
        Box::new(Self {
            arriving,
            in_flight,
            gave_at: Some(idle.now()),
            excused_until: 0,
            idle,
            idle_limit,
            is_over: false,
        })
    }

    /// Another part is asked for. Where the client has not taken the last one for
    /// long, the server could not move meanwhile: it has its time from now on, and
    /// what is found of it is excused for as long as it had to wait.
    fn is_asked(&mut self) {
        let Some(gave_at) = self.gave_at.take() else {
            return;
        };
        let now = self.idle.now();
        let waited = now - gave_at;
        if waited >= STANDSTILL {
            self.excused_until = now + waited;
            self.idle.arm(self.idle_limit);
        }
    }

    /// What a break says of the server.
    fn broken(&self) -> Ending {
        match self.idle.now() < self.excused_until {
            true => Ending::Abandoned,
            false => Ending::Broken,
        }
    }

    fn finish(&mut self) {
        self.is_over = true;
        self.in_flight.ended(Ending::Completed);
        self.arriving.finish(self.in_flight.upstream());
    }

    fn fail<T>(&mut self, ending: Ending, why: CutShort) -> Option<Result<T, CutShort>> {
        self.in_flight.ended(ending);
        Some(Err(why))
    }
}

impl<A: Arriving + Unpin> http_body::Body for ResponseBody<A> {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let body = self.get_mut();
        if body.is_over {
            return Poll::Ready(None);
        }
        if body.in_flight.upstream().is_cut() {
            return Poll::Ready(body.fail(Ending::Broken, CutShort::Removed));
        }
        body.is_asked();
        if body.arriving.send(cx) {
            // A body that moves towards the server is no standstill.
            body.idle.arm(body.idle_limit);
        }
        match body.arriving.poll_part(cx) {
            Poll::Pending => body.idle.poll_passed(cx).map(|()| {
                body.arriving.stood_still();
                body.fail(Ending::TimedOut, CutShort::Stalled)
            }),
            Poll::Ready(Ok(Some(frame))) => {
                body.idle.arm(body.idle_limit);
                body.gave_at = Some(body.idle.now());
                if body.arriving.is_ended() {
                    body.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Ok(None)) => {
                body.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Err(error)) => {
                let ending = body.broken();
                Poll::Ready(body.fail(ending, error))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        let remaining = self.arriving.remaining();
        remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
