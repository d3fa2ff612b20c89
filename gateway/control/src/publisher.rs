//! The one path of every change: a snapshot is made, everything that it needs
//! is prepared aside, and only then every worker is handed it.
//!
//! Changes take turns, since each is prepared on top of the one before it, and
//! each is taken whole or not at all.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use gatewright_host::{Host, Plan, PrepareError, Prepared};
use gatewright_model::counters::WorkerCounters;
use gatewright_model::id::Generation;
use gatewright_model::snapshot::Snapshot;
use gatewright_proxy::{Bound, DataPlane, Prober};
use tokio::sync::{Mutex, watch};

use crate::desired::Wanted;
use crate::error::{ReloadError, StartError};
use crate::events::{Events, Happened};
use crate::resolving::resolve_new;

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// There was nothing to change.
    Unchanged {
        /// What is in force.
        generation: Generation,
    },
    /// The change is in force.
    Published {
        /// What is in force now.
        generation: Generation,
        /// How many workers said so within a second.
        workers: usize,
        /// How many there are.
        of: usize,
    },
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged { generation } => {
                write!(f, "nothing to change; generation {} stays", generation.0)
            }
            Self::Published {
                generation,
                workers,
                of,
            } => {
                write!(
                    f,
                    "generation {} is in force on {workers} of {of} workers",
                    generation.0
                )
            }
        }
    }
}

/// What is in force, and the way to change it.
pub(crate) struct Publisher {
    host: Arc<Host>,
    /// The snapshot in force; the prober follows it.
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// Which plugin versions are in force with it.
    plan: RwLock<Arc<Plan>>,
    counters: Arc<[WorkerCounters]>,
    /// Whose turn it is to change something.
    turn: Mutex<()>,
    /// None once the gateway stops. Held only while a change is handed over, so
    /// that a stop need not wait for a compiler.
    data_plane: Mutex<Option<DataPlane>>,
    /// Checks while this is there.
    _prober: Prober,
}

impl Publisher {
    /// Prepare the first snapshot, then start the prober and the workers.
    pub(crate) async fn start(
        wanted: &Wanted,
        bound: Bound,
        host: Arc<Host>,
        events: &Arc<Events>,
    ) -> Result<Self, StartError> {
        let config = Arc::clone(&wanted.config);
        let snapshot = Snapshot::next(None, config, wanted.config.workers);
        let snapshot = Arc::new(snapshot.map_err(|error| wanted.snapshot_error(&error))?);
        resolve_new(&snapshot).await;
        let prepared = prepare(&host, &snapshot, None).await?;
        let prepared = prepared.map_err(|error| wanted.prepare_error(&error))?;
        let snapshots = watch::Sender::new(Arc::clone(&snapshot));
        let events = Arc::clone(events);
        let prober = Prober::start(snapshots.subscribe(), move |change| {
            events.push(Happened::Health(change));
        })?;
        let data_plane = bound.start(&snapshot, prepared.chains, prober.suspects())?;
        Ok(Self {
            host,
            snapshots,
            plan: RwLock::new(Arc::new(prepared.plan)),
            counters: Arc::clone(data_plane.counters()),
            turn: Mutex::default(),
            data_plane: Mutex::new(Some(data_plane)),
            _prober: prober,
        })
    }

    /// What is in force.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// To be told of every snapshot that comes into force.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// Which plugin versions are in force.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the workers count.
    pub(crate) fn counters(&self) -> &Arc<[WorkerCounters]> {
        &self.counters
    }

    /// Put in force what is wanted, if it differs from what is.
    pub(crate) async fn publish(&self, wanted: &Wanted) -> Result<Reloaded, ReloadError> {
        let _turn = self.turn.lock().await;
        self.publish_in_turn(wanted).await
    }

    /// Prepare what is in force once more: a version that was quarantined gives
    /// way to the one before it.
    pub(crate) async fn publish_again(&self) -> Result<Reloaded, ReloadError> {
        let _turn = self.turn.lock().await;
        let config = Arc::clone(&self.snapshot().config);
        let in_force = Wanted {
            config,
            places: None,
        };
        self.publish_in_turn(&in_force).await
    }

    async fn publish_in_turn(&self, wanted: &Wanted) -> Result<Reloaded, ReloadError> {
        let before = self.snapshot();
        let config = Arc::clone(&wanted.config);
        // How many workers there are was decided at the start.
        let next = Snapshot::next(Some(&before), config, self.counters.len());
        let next = Arc::new(next.map_err(|error| wanted.snapshot_error(&error))?);
        let plan = self.plan();
        let prepared = prepare(&self.host, &next, Some(Arc::clone(&plan))).await;
        let prepared = prepared.map_err(|error| wanted.error("", "", error.to_string()))?;
        let prepared = prepared.map_err(|error| wanted.prepare_error(&error))?;
        if next.config == before.config && same_seats(&plan, &prepared.plan) {
            return Ok(Reloaded::Unchanged {
                generation: before.generation,
            });
        }
        resolve_new(&next).await;
        self.hand_over(next, prepared).await
    }

    async fn hand_over(
        &self,
        next: Arc<Snapshot>,
        prepared: Prepared,
    ) -> Result<Reloaded, ReloadError> {
        let data_plane = self.data_plane.lock().await;
        let data_plane = data_plane.as_ref().ok_or(ReloadError::Stopping)?;
        // Noted before the only wait, in which the workers answer: a caller
        // that gives up there must not leave the next change to be prepared on
        // top of a plan that the workers no longer have.
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(prepared.plan);
        self.snapshots.send_replace(Arc::clone(&next));
        let applied = data_plane.publish(&next, prepared.chains).await;
        Ok(Reloaded::Published {
            generation: next.generation,
            workers: applied.workers,
            of: applied.of,
        })
    }

    /// Take the data plane away, to end it; no change is taken any more.
    pub(crate) async fn close(&self) -> Option<DataPlane> {
        self.data_plane.lock().await.take()
    }
}

/// Prepare a snapshot's plugins on a thread that may block: it reads files and
/// compiles.
async fn prepare(
    host: &Arc<Host>,
    snapshot: &Arc<Snapshot>,
    previous: Option<Arc<Plan>>,
) -> io::Result<Result<Prepared, PrepareError>> {
    let (host, snapshot) = (Arc::clone(host), Arc::clone(snapshot));
    let preparing =
        tokio::task::spawn_blocking(move || host.prepare(&snapshot, previous.as_deref()));
    Ok(preparing.await?)
}

/// Whether the same versions sit in the same seats, and are asked. How they are
/// configured is the configuration's to compare.
fn same_seats(before: &Plan, next: &Plan) -> bool {
    let (before, next) = (before.bindings(), next.bindings());
    let pairs = before.iter().zip(next);
    before.len() == next.len()
        && pairs.into_iter().all(|(before, next)| {
            before.place() == next.place()
                && before.version() == next.version()
                && before.is_quarantined() == next.is_quarantined()
        })
}
