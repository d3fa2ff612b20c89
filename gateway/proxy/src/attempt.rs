//! One attempt on one server: a connection, the request out, the response's
//! head in.

mod talk;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use gatewright_host::ExchangeView;
use gatewright_model::config::PoolConfig;
use gatewright_model::id::Slot;
use gatewright_model::retry_budget::RetryBudgets;
use gatewright_wire::{
    Asked, Forwarding, RequestFraming, ResponseHead, UpstreamHead, encode_head, http2_fields,
    target,
};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri, Version};

use crate::account::{Account, Attempted, Came};
use crate::body::Content;
use crate::breaker::STANDSTILL;
use crate::deadlines::{self, Deadline};
use crate::due::Due;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::fill::fill;
use crate::request_body::{RequestBody, SendError};
use crate::source::Source;
use crate::upstream::{
    Begun, By, ConnectError, Connection, ConnectionError, Conversation, InFlight, Line,
    OnConnection, OnStream, Sent, Session, Unsent, Upstream,
};
use crate::worker::Worker;
use talk::Talk;

/// A failure and the body, for the next attempt.
pub(crate) type Failed = (Failure, RequestBody);

/// A response's head has arrived, and is where it was to be put: it is large, and who
/// waits for it is several calls away.
pub(crate) struct Answered {
    /// Whose it is.
    pub(crate) slot: Slot,
    pub(crate) status: StatusCode,
    /// When the head arrived.
    pub(crate) at: Instant,
    /// The request's body, where another server may be asked instead.
    pub(crate) replay: Option<RequestBody>,
}

/// What all attempts of a request have in common.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) source: &'a Source,
    pub(crate) facts: &'a Facts,
    /// What is noted of the request, where somebody is told of it.
    pub(crate) account: Option<&'a Account>,
    pub(crate) pool: &'a PoolConfig,
    pub(crate) budgets: &'a RetryBudgets,
    pub(crate) deadline: &'a Deadline,
    pub(crate) due: &'a Due,
}

/// A conversation that failed.
struct Lost {
    failure: Failure,
    body: RequestBody,
    /// Whether only the connection may have been to blame, being an old one.
    was_stale: bool,
}

impl Lost {
    /// Nothing was sent.
    fn unsent(failure: Failure, body: RequestBody) -> Self {
        Self {
            failure,
            body,
            was_stale: false,
        }
    }

    /// What is left when no head has come.
    fn during(talk: Talk, failure: Failure) -> Self {
        if matches!(failure, Failure::Timeout | Failure::CallerTimeout) {
            talk.stood_still();
        }
        Self {
            was_stale: matches!(&failure, Failure::Broken(error) if talk.is_stale(error)),
            body: talk.into_body(),
            failure,
        }
    }
}

impl Attempt<'_> {
    /// Try the server that `in_flight` counts, and put what it answers into `response`,
    /// an empty one.
    pub(crate) async fn run(
        &self,
        mut in_flight: InFlight,
        mut body: RequestBody,
        response: &mut Response<Content>,
    ) -> Result<Answered, Failed> {
        let upstream = in_flight.upstream();
        let slot = upstream.state().slot();
        self.begins(upstream);
        self.arm(self.pool.retries.per_try_timeout);
        let mut line = upstream.checkout(self.worker.deadlines.now());
        let mut is_reused = line.is_some();
        self.note(|attempt| attempt.reused = is_reused);
        let (head, mut talk) = loop {
            let begun = match line.take() {
                Some(line) => self.begin(upstream, line, body),
                // Apart, so that requests for which there is a connection do not
                // carry its size.
                None => Box::pin(self.begin_anew(upstream, body)).await,
            };
            let lost = match begun {
                Ok(mut talk) => match self.converse(upstream, &mut talk).await {
                    Ok(head) => break (head, talk),
                    Err(failure) => Lost::during(talk, failure),
                },
                Err(lost) => lost,
            };
            if !is_reused || !self.may_speak_again(&lost) {
                self.came(|| (Came::failed(&lost.failure), Instant::now()));
                in_flight.failed(lost.failure.ending());
                return Err((lost.failure, lost.body));
            }
            is_reused = false;
            self.note(|attempt| attempt.reused = false);
            upstream.counters().requests.add(1);
            self.worker.counters().retries.add(1);
            body = lost.body;
        };
        let at = Instant::now();
        let status = head.status;
        in_flight.responded(status.as_u16(), at);
        self.came(|| (Came::Answer(status.as_u16()), at));
        let replay = match self.is_given_up(status) {
            true => talk.take_body(),
            false => None,
        };
        let body = talk.answered(self.worker, in_flight, &head);
        put(response, head, body);
        Ok(Answered {
            slot,
            status,
            at,
            replay,
        })
    }

    /// Note that it begins.
    fn begins(&self, upstream: &Upstream) {
        if let Some(account) = self.account {
            account.attempt(upstream.id().as_str(), self.facts.attempt());
        }
    }

    /// Note what came of it.
    fn came(&self, what: impl FnOnce() -> (Came, Instant)) {
        self.note(|attempt| attempt.came = Some(what()));
    }

    /// Note something of it.
    fn note(&self, note: impl FnOnce(&mut Attempted)) {
        if let Some(account) = self.account {
            account.of_attempt(self.facts.attempt(), note);
        }
    }

    /// What ties it to the request's trace, if it is recorded.
    fn traceparent(&self) -> Option<String> {
        let context = self.account?.context.as_ref()?;
        let span = context.child(self.facts.attempt().into());
        context.is_sampled.then(|| context.parent_of_span(span))
    }

    /// Whether another server is rather asked than this answer passed on, if one
    /// may be.
    fn is_given_up(&self, status: StatusCode) -> bool {
        let statuses = &self.pool.retries.statuses;
        statuses.contains(&status.as_u16()) && self.facts.is_idempotent()
    }

    /// Whether the same server is asked again over a new connection: the old one
    /// was closed under us, as servers may at any time, or took no more. Whether the
    /// request was what broke it nobody can tell, so that this draws on a budget as
    /// other retries do.
    fn may_speak_again(&self, lost: &Lost) -> bool {
        let now = deadlines::since_start(self.worker.deadlines.now());
        lost.body.is_replayable()
            && match lost.failure {
                Failure::Unprocessed(_) => self.budgets.withdraw_connect(now),
                _ => lost.was_stale && self.facts.is_idempotent() && self.budgets.withdraw(now),
            }
    }

    /// Send the request's head on a line that is made first.
    async fn begin_anew(&self, upstream: &Upstream, body: RequestBody) -> Result<Talk, Lost> {
        self.worker.delayed();
        match self.connect(upstream).await {
            Ok(line) => {
                self.arm(self.pool.retries.per_try_timeout);
                self.begin(upstream, line, body)
            }
            Err(failure) => Err(Lost::unsent(failure, body)),
        }
    }

    async fn connect(&self, upstream: &Upstream) -> Result<Line, Failure> {
        let by = By {
            client: self.source.behalf,
            deadlines: &self.worker.deadlines,
            outbox: &self.worker.outbox,
            landing: &self.worker.landing,
        };
        let arm = || self.arm(self.pool.connect_timeout);
        let connected = upstream.connect(by, self.deadline, arm).await;
        connected.map_err(|error| match error {
            ConnectError::Io(error) => {
                upstream.tell(&error, self.worker.deadlines.now());
                Failure::Connect(error)
            }
            ConnectError::Timeout => self.overdue(Failure::ConnectTimeout),
        })
    }

    /// Send the request's head on a line.
    fn begin(&self, upstream: &Upstream, line: Line, body: RequestBody) -> Result<Talk, Lost> {
        match line {
            Line::Http1 {
                mut connection,
                reused,
            } => {
                self.send_head(&mut connection, &body);
                let talk = OnConnection::begin(connection, body, reused);
                Ok(Talk::Connection(talk))
            }
            Line::Http2(session) => match self.send_on(&session, upstream, &body) {
                Ok(sent) => {
                    let talk = OnStream::begin(&session, sent, body);
                    Ok(Talk::Stream(Box::new(talk)))
                }
                Err(failure) => Err(Lost::unsent(failure, body)),
            },
        }
    }

    fn arm(&self, after: Duration) {
        let due = self.worker.deadlines.tick_after(after);
        self.deadline.arm_at(due.min(self.due.tick()));
    }

    /// What it is when the deadline has passed: `otherwise`, unless that is the
    /// client's doing.
    fn overdue(&self, otherwise: Failure) -> Failure {
        match self.due.is_clients(self.deadline.now()) {
            true => Failure::CallerTimeout,
            false => otherwise,
        }
    }

    /// While a body moves, only its standing still is timed; when it has been
    /// sent, the server's time begins. `began` is the tick of the first byte.
    fn arm_for_sending(&self, began: u64, is_done: bool) {
        let deadlines = &self.worker.deadlines;
        if is_done {
            self.due.postpone(deadlines.now() - began);
            self.arm(self.pool.retries.per_try_timeout);
        } else {
            let patience = self.worker.timeouts().body_idle;
            self.deadline.arm_at(deadlines.tick_after(patience));
        }
    }

    /// Send the body and read the response's head; both at once, because a
    /// server may answer before it has heard everything.
    async fn converse(
        &self,
        upstream: &Upstream,
        talk: &mut Talk,
    ) -> Result<ResponseHead, Failure> {
        let mut sends = !talk.is_sent();
        let began = self.worker.deadlines.now();
        let mut moved = began;
        if sends {
            self.arm_for_sending(began, false);
        }
        poll_fn(|cx| {
            if sends {
                let before = talk.sent();
                match talk.poll_send(cx) {
                    Poll::Pending if talk.sent() == before => {}
                    Poll::Pending => {
                        moved = self.worker.deadlines.now();
                        self.arm_for_sending(began, false);
                    }
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
            let waits_for_client = sends && talk.waits_for_client();
            match talk.poll_head(cx, self.asked()) {
                Poll::Ready(result) => Poll::Ready(result.map_err(|error| {
                    let waited = self.worker.deadlines.now() - moved;
                    match Failure::from(error) {
                        Failure::Broken(error)
                            if error.is_end() && waits_for_client && waited >= STANDSTILL =>
                        {
                            Failure::Tired(error)
                        }
                        failure => failure,
                    }
                })),
                Poll::Pending if upstream.is_cut() => {
                    Poll::Ready(Err(Failure::Broken(ConnectionError::Closed)))
                }
                Poll::Pending => self.deadline.poll_passed(cx).map(|()| {
                    Err(match waits_for_client {
                        true => Failure::ClientStalled,
                        false => self.overdue(Failure::Timeout),
                    })
                }),
            }
        })
        .await
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
    fn send_head(&self, connection: &mut Connection, body: &RequestBody) {
        let traceparent = self.traceparent();
        let head = self.head(body, traceparent.as_deref());
        connection.post(|out| encode_head(out, &head));
    }

    /// Send the head on a stream.
    fn send_on(
        &self,
        session: &Session,
        upstream: &Upstream,
        body: &RequestBody,
    ) -> Result<Sent, Failure> {
        let traceparent = self.traceparent();
        let head = self.head(body, traceparent.as_deref());
        let request = http2_request(&head, upstream.is_secure());
        let is_whole = body.framing() == RequestFraming::None;
        let sent = session.send(request.ok_or(Failure::Unsendable)?, is_whole);
        sent.map_err(|unsent| match unsent {
            Unsent::Over(error) => Failure::Unprocessed(error),
            Unsent::Request(error) => {
                tracing::debug!(%error, "a request cannot be sent over HTTP/2");
                Failure::Unsendable
            }
        })
    }

    /// What the server is sent as the request's head.
    fn head<'a>(&'a self, body: &RequestBody, traceparent: Option<&'a str>) -> UpstreamHead<'a> {
        let facts = self.facts;
        let (authority, asked) = facts.authorities();
        UpstreamHead {
            method: &facts.method,
            path: facts.path(),
            query: facts.query(),
            authority,
            headers: &facts.headers,
            framing: body.framing(),
            upgrade: self.asked().upgrade,
            forwarding: Forwarding {
                client: self.source.peer_text.as_deref(),
                real_ip: facts.client_text(self.source),
                proto: facts.scheme(),
                host: asked,
                request_id: facts.id,
                traceparent,
                received: facts.version,
                peer_trusted: self.source.is_trusted,
                vouched: &facts.vouched,
                told: facts.told(self.source),
            },
        }
    }
}

/// Make an empty response that of a server.
fn put(response: &mut Response<Content>, head: ResponseHead, body: Begun) {
    debug_assert_eq!(
        response.headers().capacity(),
        0,
        "what it has would be lost"
    );
    *response.status_mut() = head.status;
    fill(response.headers_mut(), head.headers);
    fill(response.body_mut(), Content::from(body));
}

/// The head of a request over HTTP/2; none if its target can be none there.
fn http2_request(head: &UpstreamHead<'_>, is_secure: bool) -> Option<Request<()>> {
    let mut uri = Parts::default();
    uri.scheme = Some(match is_secure {
        true => Scheme::HTTPS,
        false => Scheme::HTTP,
    });
    let target = target(head.path, head.query);
    uri.path_and_query = Some(PathAndQuery::from_maybe_shared(target).ok()?);
    // One that no authority can be made of, as HTTP/1.0 allows, is replaced.
    let authority = Authority::try_from(head.authority);
    let unknown = || Authority::from_static("unknown.invalid");
    uri.authority = Some(authority.unwrap_or_else(|_| unknown()));
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from_parts(uri).ok()?;
    *request.headers_mut() = http2_fields(head);
    Some(request)
}
