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
use crate::worker::Worker;

/// Ticks of the coarse clock after which an idle connection is not used again
/// (30 s): shorter than what servers commonly keep a connection for, so that
/// few are found closed.
const IDLE_TICKS: u64 = 30_000 / crate::deadlines::TICK.as_millis() as u64;

/// An endpoint as one worker sees it. It stays the same over snapshots for as
/// long as the endpoint's state does.
pub(crate) struct Upstream {
    state: Arc<EndpointState>,
    worker: usize,
    idle: RefCell<Vec<Idle>>,
    idle_limit: Cell<usize>,
    head_limits: Cell<HeadLimits>,
}

struct Idle {
    connection: Connection,
    since: u64,
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

    /// Take a connection back whose exchange is complete.
    pub(crate) fn give_back(&self, connection: Connection, now: u64) {
        let limit = self.idle_limit.get();
        if limit == 0 {
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

    /// A new connection, to the first address that answers.
    pub(crate) async fn connect(&self, worker: &Worker) -> io::Result<Connection> {
        let addresses = self.state.addresses.load_full();
        let mut failure = io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "the server's name does not resolve",
        );
        for address in addresses.iter() {
            match connect_to(*address).await {
                Ok(stream) => {
                    self.counters().connections.add(1);
                    return Ok(Connection::new(stream, worker, self.head_limits.get()));
                }
                Err(error) => failure = error,
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
