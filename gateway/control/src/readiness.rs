//! Whether clients should be sent here.
//!
//! The gateway is ready once every worker has taken over what is published and
//! every server that is to be checked has been checked once, so that the first
//! request meets no server that was never there. Then it stays ready until it
//! stops, whatever becomes of the servers: a gateway that is taken out of
//! rotation cannot even say 503.

use std::sync::atomic::{AtomicU8, Ordering};

use gatewright_model::counters::WorkerCounters;
use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;

use crate::overview::workers_at;

/// Whether clients should be sent here.
#[derive(Debug, Default)]
pub(crate) struct Readiness(AtomicU8);

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// Why clients should go elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotReady {
    /// Not all workers serve.
    #[error("{taken} of {of} workers serve")]
    Workers { taken: usize, of: usize },
    /// Not all servers have been checked.
    #[error("{unchecked} servers have not been checked yet")]
    Servers { unchecked: usize },
    /// It drains.
    #[error("stopping")]
    Stopping,
}

impl Readiness {
    /// Look now.
    pub(crate) fn look(
        &self,
        snapshot: &Snapshot,
        workers: &[WorkerCounters],
    ) -> Result<(), NotReady> {
        match self.0.load(Ordering::Relaxed) {
            READY => return Ok(()),
            STOPPING => return Err(NotReady::Stopping),
            _ => starting(snapshot, workers)?,
        }
        // It may have begun to stop since.
        let order = Ordering::Relaxed;
        let became = self.0.compare_exchange(STARTING, READY, order, order);
        match became {
            Err(STOPPING) => Err(NotReady::Stopping),
            _ => Ok(()),
        }
    }

    /// From now on clients should go elsewhere.
    pub(crate) fn stop(&self) {
        self.0.store(STOPPING, Ordering::Relaxed);
    }
}

fn starting(snapshot: &Snapshot, workers: &[WorkerCounters]) -> Result<(), NotReady> {
    let of = workers.len();
    let taken = workers_at(workers, snapshot.generation);
    if taken < of {
        return Err(NotReady::Workers { taken, of });
    }
    let unchecked = snapshot.pools.iter().map(|pool| unchecked(pool)).sum();
    match unchecked {
        0 => Ok(()),
        unchecked => Err(NotReady::Servers { unchecked }),
    }
}

fn unchecked(pool: &Pool) -> usize {
    if pool.config.health.is_none() {
        return 0;
    }
    let endpoints = pool.endpoints();
    endpoints
        .filter(|endpoint| endpoint.state.last_check().is_none())
        .count()
}
