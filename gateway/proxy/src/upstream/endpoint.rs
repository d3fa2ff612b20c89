//! A worker's own view of one endpoint: the connections to it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use gatewright_model::config::{Breaker, Protocol};
use gatewright_model::counters::EndpointCounters;
use gatewright_model::endpoint::{Endpoint, EndpointState};
use gatewright_model::id::EndpointId;

use super::connect::{Line, Turn};
use super::idle::{IDLE_TICKS, IdleConnections};
use super::{Connection, Manner, Session};
use crate::deadlines::TICK;

/// Ticks between two words in the log about one server (10 s).
const TELL_TICKS: u64 = 10_000 / TICK.as_millis() as u64;

/// An endpoint as one worker sees it. It stays the same over snapshots for as
/// long as the endpoint's state does.
pub(crate) struct Upstream {
    id: EndpointId,
    pub(super) state: Arc<EndpointState>,
    pub(super) host: Arc<str>,
    worker: usize,
    pub(super) manner: RefCell<Rc<Manner>>,
    pub(super) idle: IdleConnections,
    /// HTTP/2 connections that take streams.
    pub(super) sessions: RefCell<Vec<Rc<Session>>>,
    /// Whether the latest connection speaks HTTP/1.1, so that each request
    /// needs one of its own.
    pub(super) is_single: Cell<bool>,
    /// Whose turn it is to make one that many will share.
    pub(super) turn: Turn,
    /// The tick from which on a failure to connect is told again.
    tells_from: Cell<u64>,
    /// When its circuit opens; none for never.
    breaker: Cell<Option<Breaker>>,
    /// How many attempts in a row another server has overtaken.
    overtaken: Cell<u32>,
    /// Whether what is still under way with it is to end.
    cut: Cell<bool>,
}

impl Upstream {
    pub(crate) fn new(endpoint: &Endpoint, worker: usize, manner: &Rc<Manner>) -> Rc<Self> {
        Rc::new(Self {
            id: endpoint.id.clone(),
            state: Arc::clone(&endpoint.state),
            host: Arc::clone(&endpoint.host),
            worker,
            is_single: Cell::new(manner.protocol == Protocol::Http1),
            manner: RefCell::new(Rc::clone(manner)),
            idle: IdleConnections::default(),
            sessions: RefCell::default(),
            turn: Turn::default(),
            tells_from: Cell::new(0),
            breaker: Cell::new(None),
            overtaken: Cell::new(0),
            cut: Cell::new(false),
        })
    }

    /// The first worker's side of a server with these addresses.
    #[cfg(test)]
    pub(super) fn at(addresses: Vec<std::net::SocketAddr>, manner: Manner) -> Rc<Self> {
        let pool = Arc::default();
        let state = EndpointState::claim(&pool, 1).unwrap();
        let addresses = addresses.into_iter().map(Into::into);
        state.addresses.store(Arc::new(addresses.collect()));
        let endpoint = Endpoint {
            id: "many:80".into(),
            host: "many".into(),
            port: 80,
            weight: 1,
            labels: Default::default(),
            max_active: None,
            health: None,
            state,
        };
        Self::new(&endpoint, 0, &Rc::new(manner))
    }

    /// Go on in another manner. Connections that would be made in another way
    /// now are not used again; what runs on them goes on.
    pub(crate) fn adopt(&self, manner: &Rc<Manner>) {
        let before = self.manner.replace(Rc::clone(manner));
        if !before.connects_like(manner) {
            self.idle.close_all();
            self.sessions.borrow_mut().clear();
            self.is_single.set(manner.protocol == Protocol::Http1);
        }
    }

    /// When its circuit opens.
    pub(crate) fn breaker(&self) -> Option<Breaker> {
        self.breaker.get()
    }

    /// Set when its circuit opens.
    pub(crate) fn break_by(&self, breaker: Option<Breaker>) {
        self.breaker.set(breaker);
    }

    /// Another server has answered in its place: how often in a row.
    pub(crate) fn overtaken(&self) -> u32 {
        let times = self.overtaken.get().saturating_add(1);
        self.overtaken.set(times);
        times
    }

    /// It has answered.
    pub(crate) fn answered(&self) {
        self.overtaken.set(0);
    }

    /// Whether it is a worker's side of this very endpoint.
    pub(crate) fn continues(&self, endpoint: &Endpoint) -> bool {
        Arc::ptr_eq(&self.state, &endpoint.state)
    }

    /// The endpoint's name.
    pub(crate) fn id(&self) -> &EndpointId {
        &self.id
    }

    /// What all workers share of the endpoint.
    pub(crate) fn state(&self) -> &Arc<EndpointState> {
        &self.state
    }

    /// This worker's figures of the endpoint.
    pub(crate) fn counters(&self) -> &EndpointCounters {
        self.state.counters_of(self.worker)
    }

    /// Whether its servers are spoken to in TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.manner.borrow().tls.is_some()
    }

    /// A connection that is there already, if one is free and still good.
    pub(crate) fn checkout(&self, now: u64) -> Option<Line> {
        if let Some(session) = self.free_session() {
            return Some(Line::Http2(session));
        }
        let connection = self.idle.take(now)?;
        Some(Line::Http1 {
            connection,
            reused: true,
        })
    }

    /// The HTTP/2 connection that takes one more stream: the first, so that
    /// those beyond what is needed come to rest.
    pub(super) fn free_session(&self) -> Option<Rc<Session>> {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.is_empty() {
            return None;
        }
        sessions.retain(|session| !session.is_retired());
        sessions.iter().find(|session| session.has_room()).cloned()
    }

    /// Take a connection back whose exchange is complete. One on which something
    /// is still on its way is closed: a server that answers without having read
    /// the request may never read the rest of it. So is one that would be made in
    /// another way now.
    pub(crate) fn give_back(&self, mut connection: Box<Connection>, now: u64) {
        let manner = self.manner.borrow();
        let limit = manner.idle_limit;
        let is_fit = connection.is_settled() && manner.connects_like(&connection.manner);
        if limit == 0 || !is_fit {
            return;
        }
        connection.let_go();
        self.idle.keep(connection, limit, now);
    }

    /// Close the connections that have been idle for too long.
    pub(crate) fn close_idle(&self, now: u64) {
        self.idle.close_old(now);
        let mut sessions = self.sessions.borrow_mut();
        let oldest = now.saturating_sub(IDLE_TICKS);
        sessions.retain(|session| !session.is_retired() && !session.was_idle_since(oldest));
    }

    /// End what is still under way with it: whoever waits finds out when woken.
    pub(crate) fn cut(&self) {
        self.cut.set(true);
    }

    /// Whether it was removed and its time to finish is over.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    /// Log why it cannot be connected to, now and then.
    pub(crate) fn tell(&self, error: &io::Error, now: u64) {
        if now >= self.tells_from.get() {
            self.tells_from.set(now + TELL_TICKS);
            let Self { host, .. } = self;
            let addresses = self.state.addresses.load();
            tracing::warn!(%host, ?addresses, %error, "cannot connect to a server");
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_wire::proxy_header::ProxyVersion;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::outbox::{Outbox, Peer, Posted};
    use crate::upstream::Transport;

    #[tokio::test]
    async fn a_connection_whose_request_is_not_wholly_taken_is_closed_instead_of_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream::at(vec![listener.local_addr().unwrap()], Manner::plain(1));
        let outbox = Rc::new(Outbox::default());
        let landing = Rc::default();
        let manner = Rc::new(Manner::plain(1));
        let (mut kept, mut peers) = (Vec::new(), Vec::new());
        for length in [1, 20_000_000] {
            let stream = TcpStream::connect(listener.local_addr().unwrap());
            let (stream, accepted) = tokio::join!(stream, listener.accept());
            let stream = Posted::new(stream.unwrap(), Peer::Server, &outbox);
            let stream = Transport::Plain(stream);
            let mut connection = Connection::new(stream, &landing, &manner);
            connection.post(|out| out.resize(out.len() + length, 0));
            outbox.send();
            upstream.give_back(connection, 0);
            kept.push(upstream.idle.close_all());
            peers.push(accepted.unwrap());
        }
        assert_eq!(kept, [1, 0], "no socket takes so much unread");
    }

    #[tokio::test]
    async fn a_connection_that_would_be_made_in_another_way_now_is_not_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream::at(vec![listener.local_addr().unwrap()], Manner::plain(1));
        let outbox = Rc::new(Outbox::default());
        let landing = Rc::default();
        let mut for_one_client = Manner::plain(1);
        for_one_client.proxy_protocol = Some(ProxyVersion::V1);
        let mut kept = Vec::new();
        for manner in [Manner::plain(1), for_one_client] {
            let stream = TcpStream::connect(listener.local_addr().unwrap());
            let stream = Posted::new(stream.await.unwrap(), Peer::Server, &outbox);
            let stream = Transport::Plain(stream);
            let connection = Connection::new(stream, &landing, &Rc::new(manner));
            upstream.give_back(connection, 0);
            kept.push(upstream.idle.close_all());
        }
        assert_eq!(kept, [1, 0]);
    }
}
