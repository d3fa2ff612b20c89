//! A worker's own view of one endpoint: the idle connections to it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use gatewright_model::counters::EndpointCounters;
use gatewright_model::endpoint::{Endpoint, EndpointState};
use gatewright_wire::HeadLimits;
use tokio::net::TcpStream;

use super::connection::Connection;
use crate::deadlines::{Deadline, Passed, TICK};

/// Ticks of the coarse clock after which an idle connection is not used again
/// (30 s): shorter than what servers commonly keep a connection for, so that
/// few are found closed.
const IDLE_TICKS: u64 = 30_000 / TICK.as_millis() as u64;

/// An endpoint as one worker sees it. It stays the same over snapshots for as
/// long as the endpoint's state does.
pub(crate) struct Upstream {
    state: Arc<EndpointState>,
    worker: usize,
    idle: RefCell<Vec<Idle>>,
    idle_limit: Cell<usize>,
    head_limits: Cell<HeadLimits>,
    /// Whether what is still under way with it is to end.
    cut: Cell<bool>,
}

struct Idle {
    connection: Connection,
    since: u64,
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
    pub(crate) fn new(
        endpoint: &Endpoint,
        worker: usize,
        idle_limit: usize,
        head_limits: HeadLimits,
    ) -> Rc<Self> {
        Rc::new(Self {
            state: Arc::clone(&endpoint.state),
            worker,
            idle: RefCell::default(),
            idle_limit: Cell::new(idle_limit),
            head_limits: Cell::new(head_limits),
            cut: Cell::new(false),
        })
    }

    /// Go on under other limits. Connections that are open keep theirs.
    pub(crate) fn limit(&self, idle_limit: usize, head_limits: HeadLimits) {
        self.idle_limit.set(idle_limit);
        self.head_limits.set(head_limits);
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

    /// The most recently used idle connection that is still good: last in,
    /// first out keeps few connections warm and lets the others age.
    pub(crate) fn checkout(&self, now: u64) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(newest) = idle.pop() {
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
    /// the request may never read the rest of it.
    pub(crate) fn give_back(&self, connection: Connection, now: u64) {
        let limit = self.idle_limit.get();
        if limit == 0 || !connection.is_settled() {
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
    }

    /// End what is still under way with it: whoever waits finds out when woken.
    pub(crate) fn cut(&self) {
        self.cut.set(true);
    }

    /// Whether it was removed and its time to finish is over.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    /// What heads of its responses may come to.
    pub(crate) fn head_limits(&self) -> HeadLimits {
        self.head_limits.get()
    }

    /// A new connection, to the first address that answers. `arm` sets the
    /// deadline, and is called for each address: one that swallows what it is
    /// sent must not take the time of the next.
    pub(crate) async fn connect(
        &self,
        deadline: &Deadline,
        arm: impl Fn(),
    ) -> Result<TcpStream, ConnectError> {
        let addresses = self.state.addresses.load_full();
        let mut failure = ConnectError::Io(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "the server's name does not resolve",
        ));
        for address in addresses.iter() {
            arm();
            match deadline.limit(connect_to(*address)).await {
                Ok(Ok(stream)) => {
                    self.counters().connections.add(1);
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = ConnectError::Io(error),
                Err(Passed) => failure = ConnectError::Timeout,
            }
        }
        Err(failure)
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatewright_model::id::EndpointId;
    use gatewright_model::pool::PoolState;
    use socket2::{Domain, Socket, Type};

    use super::*;
    use crate::deadlines::Deadlines;
    use crate::outbox::Outbox;
    use crate::upstream::LANDING;

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
        Upstream::new(&endpoint, 0, 1, HeadLimits::DEFAULT)
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
    async fn connect_to_any(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        let upstream = upstream_at(addresses);
        let connecting = upstream.connect(&deadline, || deadline.arm(TICK));
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
        let (mut kept, mut peers) = (Vec::new(), Vec::new());
        for length in [1, 20_000_000] {
            let stream = TcpStream::connect(listener.local_addr().unwrap());
            let (stream, accepted) = tokio::join!(stream, listener.accept());
            let limits = HeadLimits::DEFAULT;
            let connection = Connection::new(stream.unwrap(), &outbox, &landing, limits);
            connection.post(&vec![0; length]);
            outbox.send();
            upstream.give_back(connection, 0);
            kept.push(upstream.idle.borrow_mut().drain(..).count());
            peers.push(accepted.unwrap());
        }
        assert_eq!(kept, [1, 0], "no socket takes so much unread");
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
