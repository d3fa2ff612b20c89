//! A worker's own view of one endpoint: the connections to it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use gatewright_model::config::Protocol;
use gatewright_model::counters::EndpointCounters;
use gatewright_model::endpoint::{Endpoint, EndpointState};
use gatewright_wire::proxy_header::Ends;
use tokio::sync::Notify;

use super::dial::{Dialed, dial};
use super::{Connection, Manner, Session};
use crate::deadlines::{Deadline, Passed, TICK};
use crate::outbox::Outbox;
use crate::upstream::Landing;

/// Ticks of the coarse clock after which an idle connection is not used again
/// (30 s): shorter than what servers commonly keep a connection for, so that
/// few are found closed.
const IDLE_TICKS: u64 = 30_000 / TICK.as_millis() as u64;

/// Ticks between two words in the log about one server (10 s).
const TELL_TICKS: u64 = 10_000 / TICK.as_millis() as u64;

/// An endpoint as one worker sees it. It stays the same over snapshots for as
/// long as the endpoint's state does.
pub(crate) struct Upstream {
    state: Arc<EndpointState>,
    host: Arc<str>,
    worker: usize,
    manner: RefCell<Rc<Manner>>,
    idle: RefCell<Vec<Idle>>,
    /// HTTP/2 connections that take streams.
    sessions: RefCell<Vec<Rc<Session>>>,
    /// Whether the latest connection speaks HTTP/1.1, so that each request
    /// needs one of its own.
    is_single: Cell<bool>,
    /// Whether a connection is being made that many will share.
    dialing: Cell<bool>,
    /// Wakes those who wait for it.
    dialed: Notify,
    /// The tick from which on a failure to connect is told again.
    tells_from: Cell<u64>,
    /// Whether what is still under way with it is to end.
    cut: Cell<bool>,
}

struct Idle {
    connection: Box<Connection>,
    since: u64,
}

/// What one request is sent on.
pub(crate) enum Line {
    /// A connection of its own; `reused` if it has served before.
    Http1 {
        connection: Box<Connection>,
        reused: bool,
    },
    /// A stream of a connection that others share.
    Http2(Rc<Session>),
}

/// What a worker's connections write by and read into, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct By<'a> {
    /// The client that a new one is for, where one is.
    pub(crate) client: Option<Ends>,
    pub(crate) outbox: &'a Rc<Outbox>,
    pub(crate) landing: &'a Rc<Landing>,
}

/// Why no address of a server was reached: what became of the last of them.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// It refused, or the system cannot get there.
    Io(io::Error),
    /// It did not answer in time.
    Timeout,
}

impl Upstream {
    pub(crate) fn new(endpoint: &Endpoint, worker: usize, manner: &Rc<Manner>) -> Rc<Self> {
        Rc::new(Self {
            state: Arc::clone(&endpoint.state),
            host: Arc::clone(&endpoint.host),
            worker,
            is_single: Cell::new(manner.protocol == Protocol::Http1),
            manner: RefCell::new(Rc::clone(manner)),
            idle: RefCell::default(),
            sessions: RefCell::default(),
            dialing: Cell::new(false),
            dialed: Notify::new(),
            tells_from: Cell::new(0),
            cut: Cell::new(false),
        })
    }

    /// Go on in another manner. Connections that would be made in another way
    /// now are not used again; what runs on them goes on.
    pub(crate) fn adopt(&self, manner: &Rc<Manner>) {
        let before = self.manner.replace(Rc::clone(manner));
        if !before.connects_like(manner) {
            self.idle.borrow_mut().clear();
            self.sessions.borrow_mut().clear();
            self.is_single.set(manner.protocol == Protocol::Http1);
        }
    }

    /// Whether it is a worker's side of this very endpoint.
    pub(crate) fn continues(&self, endpoint: &Endpoint) -> bool {
        Arc::ptr_eq(&self.state, &endpoint.state)
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
        let connection = self.idle_connection(now)?;
        Some(Line::Http1 {
            connection,
            reused: true,
        })
    }

    /// The HTTP/2 connection that takes one more stream: the first, so that
    /// those beyond what is needed come to rest.
    fn free_session(&self) -> Option<Rc<Session>> {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.is_empty() {
            return None;
        }
        sessions.retain(|session| !session.is_retired());
        sessions.iter().find(|session| session.has_room()).cloned()
    }

    /// The most recently used idle connection that is still good: last in,
    /// first out keeps few connections warm and lets the others age.
    fn idle_connection(&self, now: u64) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut newest) = idle.pop() {
            if now.saturating_sub(newest.since) > IDLE_TICKS {
                // All others are older still.
                idle.clear();
                return None;
            }
            if newest.connection.is_quiet() {
                return Some(newest.connection);
            }
        }
        None
    }

    /// Take a connection back whose exchange is complete. One on which something
    /// is still on its way is closed: a server that answers without having read
    /// the request may never read the rest of it. So is one that would be made in
    /// another way now.
    pub(crate) fn give_back(&self, connection: Box<Connection>, now: u64) {
        let manner = self.manner.borrow();
        let limit = manner.idle_limit;
        let is_fit = connection.is_settled() && manner.connects_like(&connection.manner);
        if limit == 0 || !is_fit {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= limit {
            // The oldest make room.
            let surplus = idle.len() + 1 - limit;
            idle.drain(..surplus);
        }
        idle.push(Idle {
            connection,
            since: now,
        });
    }

    /// Close the connections that have been idle for too long.
    pub(crate) fn close_idle(&self, now: u64) {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| now.saturating_sub(idle.since) <= IDLE_TICKS);
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

    /// A new connection, to the first address that answers; or one that somebody
    /// else has made meanwhile and that is for many. `arm` sets the deadline, and
    /// is called for each address: one that swallows what it is sent must not
    /// take the time of the next.
    pub(crate) async fn connect(
        &self,
        by: By<'_>,
        deadline: &Deadline,
        arm: impl Fn(),
    ) -> Result<Line, ConnectError> {
        if self.is_single.get() {
            return self.connect_now(by, deadline, arm).await;
        }
        arm();
        while self.dialing.get() {
            if deadline.limit(self.dialed.notified()).await.is_err() {
                return Err(ConnectError::Timeout);
            }
            if let Some(session) = self.free_session() {
                return Ok(Line::Http2(session));
            }
        }
        let _dialing = Dialing::begin(self);
        self.connect_now(by, deadline, arm).await
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

    async fn connect_now(
        &self,
        by: By<'_>,
        deadline: &Deadline,
        arm: impl Fn(),
    ) -> Result<Line, ConnectError> {
        let addresses = self.state.addresses.load_full();
        let manner = Rc::clone(&self.manner.borrow());
        let mut failure = ConnectError::Io(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "the server's name does not resolve",
        ));
        for address in addresses.iter() {
            arm();
            let connecting = self.connect_to(*address, &manner, by, deadline.now());
            match deadline.limit(connecting).await {
                Ok(Ok(line)) => {
                    self.counters().connections.add(1);
                    return Ok(line);
                }
                Ok(Err(error)) => failure = ConnectError::Io(error),
                Err(Passed) => failure = ConnectError::Timeout,
            }
        }
        Err(failure)
    }

    async fn connect_to(
        &self,
        address: SocketAddr,
        manner: &Rc<Manner>,
        by: By<'_>,
        now: u64,
    ) -> io::Result<Line> {
        match dial(address, &self.host, manner, by).await? {
            Dialed::Http1(stream) => {
                self.is_single.set(true);
                let connection = Connection::new(stream, by.landing, manner);
                Ok(Line::Http1 {
                    connection,
                    reused: false,
                })
            }
            Dialed::Http2(stream) => {
                self.is_single.set(false);
                let largest = manner.head_limits.max_bytes;
                let session = Session::begin(stream, largest, now).await;
                let session = session.map_err(io::Error::other)?;
                // Who has waited for it gets it in any case.
                if self.manner.borrow().connects_like(manner) {
                    self.sessions.borrow_mut().push(Rc::clone(&session));
                }
                Ok(Line::Http2(session))
            }
        }
    }
}

/// The guard of a connection that is being made for many.
struct Dialing<'a>(&'a Upstream);

impl<'a> Dialing<'a> {
    fn begin(upstream: &'a Upstream) -> Self {
        upstream.dialing.set(true);
        Self(upstream)
    }
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        self.0.dialing.set(false);
        self.0.dialed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatewright_model::id::EndpointId;
    use gatewright_model::pool::PoolState;
    use gatewright_wire::proxy_header::ProxyVersion;
    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpStream;

    use super::*;
    use crate::deadlines::Deadlines;
    use crate::outbox::{Peer, Posted};
    use crate::upstream::{LANDING, Transport};

    /// The worker's side of a server with these addresses.
    fn upstream_at(addresses: Vec<SocketAddr>) -> Rc<Upstream> {
        let state = EndpointState::claim(&Arc::new(PoolState::default()), 1).unwrap();
        state.addresses.store(Arc::new(addresses));
        let endpoint = Endpoint {
            id: EndpointId::from("many:80"),
            host: "many".into(),
            port: 80,
            weight: 1,
            labels: Default::default(),
            health: None,
            state,
        };
        let manner = Manner::plain(1);
        Upstream::new(&endpoint, 0, &Rc::new(manner))
    }

    /// A listener whose queue is full, so that whoever connects is not answered.
    async fn swallowing() -> (Socket, Vec<TcpStream>) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        let patience = Duration::from_millis(100);
        while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await
        {
            queued.push(connected.unwrap());
        }
        (socket, queued)
    }

    /// What connecting comes to when each address is given a tick.
    async fn connect_to_any(addresses: Vec<SocketAddr>) -> Result<Line, ConnectError> {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        let upstream = upstream_at(addresses);
        let outbox = Rc::new(Outbox::default());
        let landing = Rc::new(RefCell::new(vec![0; LANDING].into()));
        let by = By {
            client: None,
            outbox: &outbox,
            landing: &landing,
        };
        let connecting = upstream.connect(by, &deadline, || deadline.arm(TICK));
        let mut connecting = std::pin::pin!(connecting);
        loop {
            match tokio::time::timeout(TICK / 2, &mut connecting).await {
                Ok(connected) => return connected,
                Err(_) => deadlines.sweep(),
            }
        }
    }

    #[tokio::test]
    async fn a_connection_whose_request_is_not_wholly_taken_is_closed_instead_of_kept() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = upstream_at(vec![listener.local_addr().unwrap()]);
        let outbox = Rc::new(Outbox::default());
        let landing = Rc::new(RefCell::new(vec![0; LANDING].into()));
        let manner = Rc::new(Manner::plain(1));
        let (mut kept, mut peers) = (Vec::new(), Vec::new());
        for length in [1, 20_000_000] {
            let stream = TcpStream::connect(listener.local_addr().unwrap());
            let (stream, accepted) = tokio::join!(stream, listener.accept());
            let stream = Posted::new(stream.unwrap(), Peer::Server, &outbox);
            let stream = Transport::Plain(stream);
            let mut connection = Connection::new(stream, &landing, &manner);
            connection.post(&vec![0; length]);
            outbox.send();
            upstream.give_back(connection, 0);
            kept.push(upstream.idle.borrow_mut().drain(..).count());
            peers.push(accepted.unwrap());
        }
        assert_eq!(kept, [1, 0], "no socket takes so much unread");
    }

    #[tokio::test]
    async fn a_connection_that_would_be_made_in_another_way_now_is_not_kept() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = upstream_at(vec![listener.local_addr().unwrap()]);
        let outbox = Rc::new(Outbox::default());
        let landing = Rc::new(RefCell::new(vec![0; LANDING].into()));
        let mut for_one_client = Manner::plain(1);
        for_one_client.proxy_protocol = Some(ProxyVersion::V1);
        let mut kept = Vec::new();
        for manner in [Manner::plain(1), for_one_client] {
            let stream = TcpStream::connect(listener.local_addr().unwrap());
            let stream = Posted::new(stream.await.unwrap(), Peer::Server, &outbox);
            let stream = Transport::Plain(stream);
            let connection = Connection::new(stream, &landing, &Rc::new(manner));
            upstream.give_back(connection, 0);
            kept.push(upstream.idle.borrow_mut().drain(..).count());
        }
        assert_eq!(kept, [1, 0]);
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_the_next_its_time() {
        let (swallowing, _queued) = swallowing().await;
        let swallowing = swallowing.local_addr().unwrap().as_socket().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answering = listener.local_addr().unwrap();
        let connected = connect_to_any(vec![swallowing, answering]).await;
        assert!(connected.is_ok());
        let timed_out = connect_to_any(vec![swallowing]).await.err();
        assert!(matches!(timed_out, Some(ConnectError::Timeout)));
    }
}
