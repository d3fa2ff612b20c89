//! What the prober tells the control plane, and how it is logged.

use std::fmt;

use gatewright_model::circuit::Phase;
use gatewright_model::endpoint::Health;
use gatewright_model::id::{EndpointId, PoolName};
use tokio::sync::Notify;

/// Something has changed in what is thought of servers.
#[derive(Clone, Debug)]
pub enum News {
    /// An endpoint's health has.
    Health(HealthChange),
    /// An endpoint's circuit has.
    Circuit(CircuitChange),
    /// A pool panics, or does so no more.
    Panic(PanicChange),
}

/// An endpoint's health has changed.
#[derive(Clone, Debug)]
pub struct HealthChange {
    /// The pool's name.
    pub pool: PoolName,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What it is now.
    pub health: Health,
    /// What the last check found.
    pub reason: String,
}

/// An endpoint's circuit has opened, is half-open or has closed.
#[derive(Clone, Debug)]
pub struct CircuitChange {
    /// The pool's name.
    pub pool: PoolName,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What it is now.
    pub phase: Phase,
    /// Why.
    pub reason: String,
}

/// So few members of a pool are well that all are given requests, or enough are
/// well again.
#[derive(Clone, Debug)]
pub struct PanicChange {
    /// The pool's name.
    pub pool: PoolName,
    /// Whether it panics now.
    pub panicking: bool,
    /// Members that are well.
    pub well: usize,
    /// Members that could take requests.
    pub of: usize,
}

impl fmt::Display for HealthChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pool,
            endpoint,
            health,
            reason,
        } = self;
        write!(
            f,
            "{endpoint} of pool {pool} is {}: {reason}",
            health.name()
        )
    }
}

impl fmt::Display for CircuitChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pool,
            endpoint,
            phase,
            reason,
        } = self;
        let phase = phase.name();
        write!(
            f,
            "the circuit of {endpoint} of pool {pool} is {phase}: {reason}"
        )
    }
}

impl fmt::Display for PanicChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, well, of, .. } = self;
        write!(f, "{well} of {of} servers of pool {pool} are well: ")?;
        f.write_str(match self.panicking {
            true => "that is so few that all get requests",
            false => "only those get requests again",
        })
    }
}

/// An endpoint and its pool, by their names.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) pool: PoolName,
    pub(super) endpoint: EndpointId,
}

/// Who tells the news.
pub(super) struct Teller {
    told: Box<dyn Fn(News)>,
    /// Something has changed for which pools are to be reviewed.
    pub(super) review: Notify,
}

impl Teller {
    pub(super) fn new(told: impl Fn(News) + 'static) -> Self {
        Self {
            told: Box::new(told),
            review: Notify::new(),
        }
    }

    pub(super) fn health(&self, about: &About, health: Health, reason: String) {
        let About { pool, endpoint } = about.clone();
        tracing::info!(%pool, %endpoint, health = health.name(), %reason, "health changed");
        self.review.notify_one();
        (self.told)(News::Health(HealthChange {
            pool,
            endpoint,
            health,
            reason,
        }));
    }

    pub(super) fn circuit(&self, about: &About, phase: Phase, reason: String) {
        let About { pool, endpoint } = about.clone();
        tracing::info!(%pool, %endpoint, circuit = phase.name(), %reason, "circuit changed");
        self.review.notify_one();
        (self.told)(News::Circuit(CircuitChange {
            pool,
            endpoint,
            phase,
            reason,
        }));
    }

    pub(super) fn panic(&self, change: PanicChange) {
        tracing::warn!(pool = %change.pool, panicking = change.panicking, "{change}");
        (self.told)(News::Panic(change));
    }
}
