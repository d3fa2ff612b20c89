//! One client connection, as its exchanges see it, and the guards that count
//! it and its tunnels. That of an exchange is [`crate::serving`].

mod look;
mod pace;
mod place;
mod tunnelling;

use std::cell::{Cell, OnceCell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gatewright_model::counters::Protocol;
use gatewright_wire::forwarded;
use gatewright_wire::proxy_header::{Behalf, Ends};
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use rustls::{ProtocolVersion, ServerConnection};

use crate::deadlines::{Deadline, Passed};
use crate::entrance::Entrance;
use crate::source::Source;
use crate::streams::Gave;
use crate::upstream::Switched;
use crate::worker::Worker;

use self::look::Look;
use self::pace::Pace;
pub(crate) use self::place::Place;
pub(crate) use self::tunnelling::Tunnelling;

/// How long a connection at rest stays open when its worker drains. A request that
/// is on its way meanwhile, as that of a busy client is, gets its answer, and with
/// it that it was the last on this connection: a connection that closes on a
/// request leaves its client not knowing what became of it.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// The longest name and port that make sense (RFC 1035 §2.3.4).
pub(crate) const LONGEST_HOST: usize = 255 + ":65535".len();

/// A client's connection, as its exchanges see it.
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    /// Counts it out at last.
    place: Place,
    source: Rc<Source>,
    max_headers: usize,
    /// The host that it asked for last, in lower case, or another client before it.
    host: RefCell<Arc<str>>,
    entrance: Rc<Entrance>,
    /// Who it has proved to be by a certificate.
    identity: OnceCell<HeaderValue>,
    /// How it speaks TLS.
    secured: OnceCell<Secured>,
    stage: Cell<Stage>,
    exchanges: Cell<u32>,
    /// Whether there has been a request.
    has_asked: Cell<bool>,
    /// Whether the latest request had a body, the end of which may not have come
    /// when its answer has gone.
    has_body: Cell<bool>,
    /// Whether the client takes nothing more at the moment.
    blocked: Cell<bool>,
    /// The server's side of the tunnel that this connection becomes once the
    /// HTTP server has let go of it.
    switched: RefCell<Option<Box<Switched>>>,
    /// What the response's body that was asked last had to give, for the
    /// stream that asked it; none once that stream has taken note.
    gave: Cell<Option<Gave>>,
    /// How far the bodies of responses are ahead of what is written of them.
    pub(crate) pace: Pace,
    deadline: Deadline,
    /// When the task looks whether its client has left.
    pub(crate) look: Look,
    /// That of the last exchange's attempts, for the next one's.
    patience: Cell<Option<Deadline>>,
}

/// How a client speaks TLS.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) version: &'static str,
    /// The name that it asked for.
    pub(crate) name: Option<Box<str>>,
}

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The TLS handshake.
    Handshake,
    /// The first byte of a request.
    Idle,
    /// The rest of a request's head.
    Head,
    /// An exchange: its own deadlines apply.
    Exchange,
}

impl Client {
    /// A client at the other end of a connection, whose ends a Unix socket has no
    /// addresses for.
    pub(crate) fn new(place: Place, ends: Option<Ends>, entrance: Rc<Entrance>) -> Rc<Self> {
        let address = ends.map(|ends| ends.source.ip().to_canonical());
        let current = place.worker.current();
        let is_trusted = current.snapshot.config.trusted_proxies.has(address);
        Self::trusted(place, ends, entrance, is_trusted)
    }

    /// A client of which nothing is known but the proxy that connects for it:
    /// whatever is believed of that proxy is not believed of its client.
    pub(crate) fn unknown(place: Place, ends: Option<Ends>, entrance: Rc<Entrance>) -> Rc<Self> {
        Self::trusted(place, ends, entrance, false)
    }

    fn trusted(
        place: Place,
        ends: Option<Ends>,
        entrance: Rc<Entrance>,
        trusted: bool,
    ) -> Rc<Self> {
        let worker = &place.worker;
        let limits = worker.current().snapshot.config.limits;
        Rc::new(Self {
            worker: Rc::clone(worker),
            source: Rc::new(Source::of(ends, trusted, entrance.scheme())),
            host: entrance.host.clone(),
            entrance,
            identity: OnceCell::new(),
            secured: OnceCell::new(),
            stage: Cell::new(Stage::Handshake),
            exchanges: Cell::new(0),
            has_asked: Cell::new(false),
            has_body: Cell::new(false),
            blocked: Cell::new(false),
            switched: RefCell::default(),
            gave: Cell::new(None),
            pace: Pace::default(),
            max_headers: limits.request_headers,
            deadline: worker.deadlines.register(),
            look: Look::default(),
            patience: Cell::new(None),
            place,
        })
    }

    /// Where its requests come from.
    pub(crate) fn source(&self) -> &Rc<Source> {
        &self.source
    }

    /// It has proved who it is, as servers are told.
    pub(crate) fn proves(&self, identity: HeaderValue) {
        // Nobody has set it before: a connection has one handshake.
        let _ = self.identity.set(identity);
    }

    /// It has shaken hands.
    pub(crate) fn shook_hands(&self, tls: &ServerConnection) {
        let secured = Secured {
            version: match tls.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            name: tls.server_name().map(Box::from),
        };
        self.is_secured(secured);
    }

    /// It has shaken hands over QUIC, which is TLS 1.3, asking for a name.
    pub(crate) fn shook_hands_over_quic(&self, name: Option<String>) {
        self.is_secured(Secured {
            version: "TLSv1.3",
            name: name.map(String::into_boxed_str),
        });
    }

    fn is_secured(&self, secured: Secured) {
        // Nobody has set it before: a connection has one handshake.
        let _ = self.secured.set(secured);
    }

    /// How it speaks TLS; none in the clear.
    pub(crate) fn secured(&self) -> Option<&Secured> {
        self.secured.get()
    }

    /// The address that connected; none by a Unix socket.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.source.peer
    }

    /// The port that it came to; none by a Unix socket.
    pub(crate) fn port(&self) -> Option<u16> {
        match &self.source.behalf {
            Behalf::Client(ends) => Some(ends.destination.port()),
            _ => None,
        }
    }

    /// Whether what it says about clients behind it is believed.
    pub(crate) fn is_trusted(&self) -> bool {
        self.source.is_trusted
    }

    /// Header lines that a request may have.
    pub(crate) fn max_headers(&self) -> usize {
        self.max_headers
    }

    /// The host that these bytes name, if it is the one that was asked for last, as
    /// it is in nearly all requests of a connection, and in most first ones.
    pub(crate) fn known_host(&self, host: &[u8]) -> Option<Arc<str>> {
        let known = self.host.borrow();
        (known.as_bytes() == host).then(|| Arc::clone(&known))
    }

    /// Another host is asked for, which is a valid one. Returns it in lower case; one
    /// that is no name is not kept, as it may be long.
    pub(crate) fn asks_for(&self, host: &str) -> Arc<str> {
        let mut host = Arc::<str>::from(host);
        Arc::make_mut(&mut host).make_ascii_lowercase();
        if host.len() <= LONGEST_HOST {
            self.host.replace(Arc::clone(&host));
            self.entrance.host.replace(Arc::clone(&host));
        }
        host
    }

    /// What holds for it because of its listener.
    pub(crate) fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// Who it has proved to be, as servers are told.
    pub(crate) fn identity(&self) -> Option<&HeaderValue> {
        self.identity.get()
    }

    /// The address of the client that a request is from; none of one that is known
    /// by a Unix socket alone.
    pub(crate) fn address_of_client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.is_trusted() {
            return self.peer();
        }
        let current = self.worker.current();
        let trusted = &current.snapshot.config.trusted_proxies;
        let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        forwarded::client_address(self.peer(), values, |address| trusted.has(address))
    }

    /// The first bytes of a request have come. Mostly that is its whole head: the
    /// time of one is measured from when the rest is waited for.
    pub(crate) fn reads(&self) {
        if self.stage.get() == Stage::Idle {
            self.stage.set(Stage::Head);
            match self.blocked.get() {
                true => self.times_head(),
                false => self.deadline.disarm(),
            }
        }
    }

    fn times_head(&self) {
        self.deadline.arm(self.worker.timeouts().request_head);
    }

    /// Writing to the client is held up, or goes on again.
    pub(crate) fn write_blocked(&self, blocked: bool) {
        self.blocked.set(blocked);
        match self.stage.get() {
            // The end of a response may wait for its client when the exchange
            // is over: that is no idle connection yet.
            Stage::Idle => self.waits(),
            Stage::Exchange if blocked => self.deadline.arm(self.worker.timeouts().body_idle),
            Stage::Exchange => self.deadline.disarm(),
            // They have deadlines of their own.
            Stage::Handshake | Stage::Head => {}
        }
    }

    /// The server to which it becomes a tunnel, taken away.
    pub(crate) fn take_switched(&self) -> Option<Box<Switched>> {
        self.switched.take()
    }

    /// Whether there has been a request on it.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_asked.get()
    }

    /// Whether it takes nothing more at the moment.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// Whether its latest request had a body.
    pub(crate) fn had_body(&self) -> bool {
        self.has_body.get()
    }

    /// Whether an exchange is under way.
    pub(crate) fn is_in_exchange(&self) -> bool {
        self.stage.get() == Stage::Exchange
    }

    /// Become a tunnel to this server, once the response has gone out.
    pub(crate) fn switch(&self, server: Box<Switched>) {
        self.switched.replace(Some(server));
    }

    /// The note of what a response's body gave, taken away.
    pub(crate) fn take_gave(&self) -> Option<Gave> {
        self.gave.take()
    }

    /// Whether no new requests are to be taken.
    pub(crate) fn is_draining(&self) -> bool {
        self.worker.is_draining()
    }

    /// Say that an answer is the connection's last, where the worker drains and an
    /// answer can say so: over HTTP/1.1, and not as it becomes a tunnel.
    pub(crate) fn put_close(&self, version: Version, status: StatusCode, headers: &mut HeaderMap) {
        let can_say = version <= Version::HTTP_11 && status != StatusCode::SWITCHING_PROTOCOLS;
        if self.is_draining() && can_say {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Ready with what was waited for, when it has not come in time.
    pub(crate) fn poll_overdue(&self, cx: &Context<'_>) -> Poll<Stage> {
        let stage = self.stage.get();
        if stage == Stage::Head && !self.deadline.is_armed() {
            self.times_head();
        }
        let passed = self.deadline.poll_passed_or(cx, self.look.due());
        passed.map(|()| stage)
    }

    /// Do something on the connection once nothing else is done on it.
    pub(crate) async fn within<F: Future>(
        &self,
        limit: Duration,
        future: F,
    ) -> Result<F::Output, Passed> {
        self.deadline.arm(limit);
        self.deadline.limit(future).await
    }

    /// An exchange begins, whose request has a body, or has none.
    pub(crate) fn begins(&self, version: Version, has_body: bool) {
        self.place.asks(match version {
            Version::HTTP_3 => Protocol::Http3,
            Version::HTTP_2 => Protocol::Http2,
            _ => Protocol::Http1,
        });
        self.stage.set(Stage::Exchange);
        self.has_asked.set(true);
        self.has_body.set(has_body);
        // A client that reads nothing does not get more time by asking for more.
        if !self.blocked.get() {
            self.deadline.disarm();
        }
        self.busy();
    }

    /// A deadline for an exchange's attempts.
    pub(crate) fn patience(&self) -> Deadline {
        let left = self.patience.take();
        left.unwrap_or_else(|| self.worker.deadlines.register())
    }

    /// An exchange over this version needs it no longer. The next one on a connection
    /// of HTTP/1.1 runs in the same task, which the sweep knows of then; elsewhere it
    /// runs in any, and the memory of this one, which may be over, would be kept.
    pub(crate) fn leave(&self, patience: Deadline, version: Version) {
        if version <= Version::HTTP_11 {
            self.patience.set(Some(patience));
        }
    }

    /// A response's body was asked for more.
    pub(crate) fn gave(&self, what: Gave) {
        if matches!(what, Gave::Nothing) {
            self.look.stalls();
        }
        self.gave.set(Some(what));
    }

    /// One more exchange or tunnel is under way.
    fn busy(&self) {
        self.exchanges.set(self.exchanges.get() + 1);
    }

    /// One less is.
    pub(crate) fn rested(&self) {
        let exchanges = self.exchanges.get() - 1;
        self.exchanges.set(exchanges);
        if exchanges == 0 {
            self.waits();
        }
    }

    /// The first byte of a request is waited for.
    pub(crate) fn waits(&self) {
        let timeouts = self.worker.timeouts();
        self.stage.set(Stage::Idle);
        self.deadline.arm(match self.blocked.get() {
            true => timeouts.body_idle,
            false if self.is_draining() => timeouts.idle.min(timeouts.drain / 2).min(LAST_REQUEST),
            false => timeouts.idle,
        });
    }

    /// The worker drains: a request that is waited for is waited for no longer than
    /// the last one is.
    pub(crate) fn hurries(&self) {
        if self.stage.get() == Stage::Idle {
            self.waits();
        }
    }
}
