//! A server of a pool: what is configured of it, and what changes by the second.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::address::{Address, UNIX};
use crate::circuit::Circuit;
use crate::config::HealthCheck;
use crate::counters::EndpointCounters;
use crate::id::{EndpointId, Slot};
use crate::pool::{PoolState, SlotLease};
use crate::reported::Reported;
use crate::warmth::Warmth;

/// An endpoint as a snapshot holds it. Immutable; what moves is in [`EndpointState`].
#[derive(Debug)]
pub struct Endpoint {
    /// Its stable name.
    pub id: EndpointId,
    /// Host name or address, without brackets; or `unix:` and the path of a socket.
    pub host: Arc<str>,
    /// TCP port; 0 for a Unix socket.
    pub port: u16,
    /// Relative share of the work; 0 takes none.
    pub weight: u16,
    /// Free-form labels, such as `zone`.
    pub labels: BTreeMap<String, String>,
    /// The most requests in flight on it at a time, over all workers; none: no
    /// limit.
    pub max_active: Option<NonZeroU32>,
    /// How it is checked; none when it is not.
    pub health: Option<HealthCheck>,
    /// What outlives a snapshot.
    pub state: Arc<EndpointState>,
}

impl Endpoint {
    /// Its place in the pool.
    pub fn slot(&self) -> Slot {
        self.state.slot()
    }

    /// What it is called as the host of a request that the gateway itself makes of
    /// it. A Unix socket has no name of its own: like other programs, the gateway
    /// says `localhost` there.
    pub fn authority(&self) -> &str {
        match self.host.starts_with(UNIX) {
            true => "localhost",
            false => self.id.as_str(),
        }
    }

    /// Whether it may take new work.
    pub fn is_eligible(&self) -> bool {
        self.is_wanted() && self.is_usable()
    }

    /// Whether it would take new work if all was well.
    pub fn is_wanted(&self) -> bool {
        self.weight > 0 && !self.state.is_draining()
    }

    /// Whether its limit allows one more request now.
    pub fn has_room(&self) -> bool {
        self.max_active
            .is_none_or(|most| self.state.active() < most.get())
    }

    /// Whether it may take work that is already its own, such as a session's.
    pub fn is_usable(&self) -> bool {
        self.is_well() || self.state.pool().is_panicking()
    }

    /// Whether neither its checks nor its requests speak against it.
    pub fn is_well(&self) -> bool {
        self.passes_checks() && self.state.circuit.is_closed()
    }

    /// Whether it may take new work that nobody else can: no check speaks against
    /// it, only earlier requests do.
    pub fn is_last_resort(&self) -> bool {
        self.is_wanted() && self.passes_checks() && !self.state.circuit.is_closed()
    }

    /// Whether its checks do not speak against it.
    pub fn passes_checks(&self) -> bool {
        self.state.health() != Health::Unhealthy
    }
}

/// What the active checks last found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Not checked yet; treated as healthy, since a retry covers a wrong guess.
    Unknown = 0,
    /// The last checks passed.
    Healthy = 1,
    /// The last checks failed.
    Unhealthy = 2,
}

impl Health {
    /// The word that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What changes while an endpoint lives: shared by all snapshots that hold it.
#[derive(Debug)]
pub struct EndpointState {
    lease: SlotLease,
    health: AtomicU8,
    draining: AtomicBool,
    last_check_unix_ms: AtomicU64,
    /// What requests have shown of it.
    pub circuit: Circuit,
    /// How much of its share it takes.
    pub warmth: Warmth,
    /// How busy it says that it is.
    pub reported: Reported,
    /// Where to connect; empty while the host's name does not resolve.
    pub addresses: ArcSwap<Vec<Address>>,
    counters: Box<[EndpointCounters]>,
}

impl EndpointState {
    /// The state of a new endpoint, with a free slot of the pool; none when the
    /// pool is full.
    pub fn claim(pool: &Arc<PoolState>, workers: usize) -> Option<Arc<Self>> {
        let lease = PoolState::claim_slot(pool)?;
        Some(Arc::new(Self {
            lease,
            circuit: Circuit::new(pool),
            warmth: Warmth::new(pool),
            reported: Reported::default(),
            health: AtomicU8::new(Health::Unknown as u8),
            draining: AtomicBool::new(false),
            last_check_unix_ms: AtomicU64::new(0),
            addresses: ArcSwap::default(),
            counters: (0..workers).map(|_| EndpointCounters::default()).collect(),
        }))
    }

    /// Its place in the pool.
    pub fn slot(&self) -> Slot {
        self.lease.slot()
    }

    /// What the active checks last found.
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            1 => Health::Healthy,
            2 => Health::Unhealthy,
            _ => Health::Unknown,
        }
    }

    /// Note what a check concluded; returns whether that is a change.
    pub fn set_health(&self, health: Health) -> bool {
        let before = self.health.swap(health as u8, Ordering::Relaxed);
        let changed = before != health as u8;
        if changed {
            self.lease.pool().eligibility_changed();
        }
        changed
    }

    /// Whether it takes no new work.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Begin or end draining.
    pub fn set_draining(&self, draining: bool) {
        if self.draining.swap(draining, Ordering::Relaxed) != draining {
            self.lease.pool().eligibility_changed();
        }
    }

    /// Note when a check ended, in milliseconds since 1970; its finding is to be
    /// noted before.
    pub fn checked_at(&self, unix_ms: u64) {
        self.last_check_unix_ms.store(unix_ms, Ordering::Release);
    }

    /// When the last check ended, in milliseconds since 1970; none before it.
    pub fn last_check(&self) -> Option<u64> {
        match self.last_check_unix_ms.load(Ordering::Acquire) {
            0 => None,
            unix_ms => Some(unix_ms),
        }
    }

    /// A worker's own figures.
    pub fn counters_of(&self, worker: usize) -> &EndpointCounters {
        &self.counters[worker]
    }

    /// The figures of all workers.
    pub fn counters(&self) -> &[EndpointCounters] {
        &self.counters
    }

    /// Requests in flight on it over all workers.
    pub fn active(&self) -> u32 {
        self.lease.pool().active(self.slot())
    }

    /// The pool's shared state.
    pub fn pool(&self) -> &Arc<PoolState> {
        self.lease.pool()
    }
}
