//! One attempt on one server: a connection, the request out, the response's
//! head in.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use gatewright_host::{Ending, ExchangeView};
use gatewright_model::config::PoolConfig;
use gatewright_wire::{Asked, Forwarding, ResponseHead, UpstreamHead, encode_head};

use crate::connection::Client;
use crate::deadlines::Deadline;
use crate::facts::Facts;
use crate::request_body::{RequestBody, SendError, Sending};
use crate::upstream::{
    Begun, ConnectError, Connection, ConnectionError, InFlight, Upstream, UpstreamBody,
};
use crate::worker::Worker;

/// Why an attempt brought no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect to the server: {0}")]
    Connect(io::Error),
    #[error("connecting to the server took too long")]
    ConnectTimeout,
    #[error("{0}")]
    Broken(ConnectionError),
    #[error("the server did not answer in time")]
    Timeout,
    #[error("the client left before its request was whole")]
    ClientLeft,
    #[error("the request's body came too slowly")]
    ClientStalled,
    #[error("the request's body is larger than allowed")]
    BodyTooLarge,
}

impl Failure {
    fn ending(&self) -> Ending {
        match self {
            Self::Connect(_) | Self::ConnectTimeout => Ending::ConnectFailed,
            Self::Broken(_) => Ending::Broken,
            Self::Timeout => Ending::TimedOut,
            Self::ClientLeft | Self::ClientStalled | Self::BodyTooLarge => Ending::Abandoned,
        }
    }
}

/// A failure and the body, for the next attempt.
pub(crate) type Failed = (Failure, RequestBody);

/// A response whose head has arrived.
pub(crate) struct Answered {
    pub(crate) head: ResponseHead,
    pub(crate) body: Begun,
    /// When the head arrived.
    pub(crate) at: Instant,
}

/// What all attempts of a request have in common.
pub(crate) struct Attempt<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) client: &'a Client,
    pub(crate) facts: &'a Facts,
    pub(crate) pool: &'a PoolConfig,
    pub(crate) deadline: &'a Deadline,
    /// The tick at which the whole request's time is over. Sending a body does
    /// not count, as long as it moves.
    pub(crate) request_due: &'a Cell<u64>,
}

impl Attempt<'_> {
    /// Try the server that `in_flight` counts.
    pub(crate) async fn run(
        &self,
        mut in_flight: InFlight,
        body: RequestBody,
    ) -> Result<Answered, Failed> {
        let (head, connection, sending) = match self.reach(&in_flight, body).await {
            Ok(reached) => reached,
            Err((failure, body)) => {
                in_flight.failed(failure.ending());
                return Err((failure, body));
            }
        };
        let at = Instant::now();
        in_flight.responded(head.status.as_u16(), at);
        let sending = (!sending.is_done()).then_some(sending);
        let body = UpstreamBody::begin(self.worker, in_flight, connection, &head, sending);
        Ok(Answered { head, body, at })
    }

    /// A response's head, over an idle connection or a new one.
    async fn reach(
        &self,
        in_flight: &InFlight,
        mut body: RequestBody,
    ) -> Result<(ResponseHead, Connection, Sending), Failed> {
        let upstream = in_flight.upstream();
        self.arm(self.pool.retries.per_try_timeout);
        if let Some(idle) = upstream.checkout(self.worker.deadlines.now()) {
            match self.converse(upstream, idle, body).await {
                Err((Failure::Broken(error), unsent)) if self.was_stale(&error, &unsent) => {
                    body = unsent;
                }
                result => return result,
            }
        }
        let arm = || self.arm(self.pool.connect_timeout);
        let stream = match upstream.connect(self.deadline, arm).await {
            Ok(stream) => stream,
            Err(ConnectError::Io(error)) => return Err((Failure::Connect(error), body)),
            Err(ConnectError::Timeout) => return Err((Failure::ConnectTimeout, body)),
        };
        let Worker {
            outbox, landing, ..
        } = &**self.worker;
        let connection = Connection::new(stream, outbox, landing, upstream.head_limits());
        self.arm(self.pool.retries.per_try_timeout);
        self.converse(upstream, connection, body).await
    }

    /// Whether an idle connection was closed under us, as servers may at any
    /// time: then the same server is asked again over a new one.
    fn was_stale(&self, error: &ConnectionError, body: &RequestBody) -> bool {
        let unanswered = matches!(error, ConnectionError::Closed | ConnectionError::Io(_));
        unanswered && self.facts.is_idempotent() && body.is_replayable()
    }

    fn arm(&self, after: Duration) {
        let due = self.worker.deadlines.tick_after(after);
        self.deadline.arm_at(due.min(self.request_due.get()));
    }

    /// While a body moves, only its standing still is timed; when it has been
    /// sent, the server's time begins. `began` is the tick of the first byte.
    fn arm_for_sending(&self, began: u64, is_done: bool) {
        let deadlines = &self.worker.deadlines;
        if is_done {
            let took = deadlines.now() - began;
            self.request_due
                .set(self.request_due.get().saturating_add(took));
            self.arm(self.pool.retries.per_try_timeout);
        } else {
            let patience = self.worker.timeouts().body_idle;
            self.deadline.arm_at(deadlines.tick_after(patience));
        }
    }

    /// Send the request and read the response's head; both at once, because a
    /// server may answer before it has heard everything.
    async fn converse(
        &self,
        upstream: &Upstream,
        mut connection: Connection,
        body: RequestBody,
    ) -> Result<(ResponseHead, Connection, Sending), Failed> {
        self.send_head(&connection, &body);
        let mut sending = Sending::new(body);
        let mut sends = !sending.is_done();
        let began = self.worker.deadlines.now();
        if sends {
            self.arm_for_sending(began, false);
        }
        let head = poll_fn(|cx| {
            if sends {
                let before = sending.sent();
                match sending.poll_send(cx, &mut connection) {
                    Poll::Pending if sending.sent() == before => {}
                    Poll::Pending => self.arm_for_sending(began, false),
                    Poll::Ready(Err(SendError::Client)) => {
                        return Poll::Ready(Err(Failure::ClientLeft));
                    }
                    Poll::Ready(Err(SendError::TooLarge)) => {
                        return Poll::Ready(Err(Failure::BodyTooLarge));
                    }
                    // It may have answered and closed: read what it said.
                    Poll::Ready(Ok(()) | Err(SendError::Server)) => {
                        sends = false;
                        self.arm_for_sending(began, true);
                    }
                }
            }
            match connection.poll_head(cx, self.asked()) {
                Poll::Ready(result) => Poll::Ready(result.map_err(Failure::Broken)),
                Poll::Pending if upstream.is_cut() => {
                    Poll::Ready(Err(Failure::Broken(ConnectionError::Closed)))
                }
                Poll::Pending => self.deadline.poll_passed(cx).map(|()| {
                    Err(match sending.waits_for_client() {
                        true => Failure::ClientStalled,
                        false => Failure::Timeout,
                    })
                }),
            }
        })
        .await;
        match head {
            Ok(head) => Ok((head, connection, sending)),
            Err(failure) => Err((failure, sending.into_body())),
        }
    }

    /// What the response is understood by.
    fn asked(&self) -> Asked<'_> {
        let upgrade = self.facts.upgrade.as_deref();
        Asked {
            method: &self.facts.method,
            upgrade: upgrade.filter(|protocol| self.pool.upgrades.allow(protocol)),
        }
    }

    /// Send the head in one piece.
    fn send_head(&self, connection: &Connection, body: &RequestBody) {
        let facts = self.facts;
        let mut scratch = self.worker.scratch.borrow_mut();
        scratch.clear();
        encode_head(
            &mut scratch,
            &UpstreamHead {
                method: &facts.method,
                path: facts.path(),
                query: facts.query(),
                authority: facts.authority(),
                headers: &facts.headers,
                framing: body.framing(),
                upgrade: self.asked().upgrade,
                forwarding: Forwarding {
                    client: self.client.peer_text(),
                    real_ip: facts.client_text(self.client),
                    proto: facts.scheme(),
                    host: facts.asked_authority(),
                    request_id: facts.id.as_str(),
                    received: facts.version,
                    peer_trusted: self.client.is_trusted(),
                    vouched: &facts.vouched,
                },
            },
        );
        connection.post(&scratch);
    }
}
