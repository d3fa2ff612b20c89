//! The last part of every change's way: a snapshot is made, everything that it
//! needs is prepared aside, the change is kept, and only then every worker is
//! handed it.
//!
//! Changes take turns, since each is prepared on top of the one before it, and
//! each is taken whole or not at all.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use gatewright_host::{Host, Plan, PrepareError, Prepared, Recording};
use gatewright_model::config::{ConfigErrors, Key};
use gatewright_model::counters::WorkerCounters;
use gatewright_model::id::{Generation, PoolName};
use gatewright_model::snapshot::Snapshot;
use gatewright_proxy::{
    Bound, Cache, DataPlane, Explanations, InForce, Inherited, News, Prober, Telemetry, TlsConfigs,
    TlsRefusal,
};
use tokio::sync::{Mutex, watch};

use crate::desired::Wanted;
use crate::error::{ReloadError, StartError};
use crate::events::{Events, Happened};
use crate::keeper::{Keeper, Kept};
use crate::resolving::resolve_new;
use crate::seats::SeatName;

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
    /// Where changes are kept before they are handed over.
    keeper: Keeper,
    /// What is in force.
    in_force: watch::Sender<InForce>,
    /// The same, for the prober; none once it has to end.
    probed: StdMutex<Option<watch::Sender<InForce>>>,
    /// Which plugin versions are in force with it.
    plan: RwLock<Arc<Plan>>,
    /// What was decided about some requests.
    explanations: Arc<Explanations>,
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
    /// Prepare the first snapshot.
    pub(crate) async fn first(host: &Arc<Host>, wanted: &Wanted) -> Result<Ready, PublishError> {
        ready(host, None, wanted, wanted.config.workers).await
    }

    /// Start the prober and the workers with the first snapshot.
    pub(crate) fn start(
        ready: Ready,
        bound: Bound,
        host: Arc<Host>,
        (keeper, telemetry): (Keeper, &Telemetry),
        events: &Arc<Events>,
    ) -> Result<Self, StartError> {
        let Ready { next, prepared } = ready;
        next.snapshot.apply_draining();
        let in_force = watch::Sender::new(next.clone());
        let events = Arc::clone(events);
        let probed = watch::Sender::new(next.clone());
        let prober = Prober::start(probed.subscribe(), move |news| {
            events.push(match news {
                News::Health(change) => Happened::Health(change),
                News::Circuit(change) => Happened::Circuit(change),
                News::Panic(change) => Happened::Panic(change),
            });
        })?;
        let data_plane = bound.start(&next, prepared.chains, prober.suspects(), telemetry)?;
        Ok(Self {
            host,
            keeper,
            in_force,
            probed: StdMutex::new(Some(probed)),
            plan: RwLock::new(Arc::new(prepared.plan)),
            explanations: Arc::clone(&telemetry.explanations),
            counters: Arc::clone(data_plane.counters()),
            turn: Mutex::default(),
            data_plane: Mutex::new(Some(data_plane)),
            _prober: prober,
        })
    }

    /// The plugin host.
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// What is in force.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.in_force.borrow().snapshot)
    }

    /// What is in force, with what handshakes are done with.
    pub(crate) fn in_force(&self) -> InForce {
        self.in_force.borrow().clone()
    }

    /// To be told of every snapshot that comes into force.
    pub(crate) fn subscribe(&self) -> watch::Receiver<InForce> {
        self.in_force.subscribe()
    }

    /// Which plugin versions are in force.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was decided about some requests.
    pub(crate) fn explanations(&self) -> &Explanations {
        &self.explanations
    }

    /// What the workers count.
    pub(crate) fn counters(&self) -> &Arc<[WorkerCounters]> {
        &self.counters
    }

    /// Put in force what is wanted, if it differs from what is, once the change
    /// that it comes from is kept.
    pub(crate) async fn publish(
        &self,
        wanted: &Wanted,
        kept: Kept,
    ) -> Result<Reloaded, PublishError> {
        let _turn = self.turn.lock().await;
        self.publish_in_turn(wanted, Some(kept)).await
    }

    /// Find out whether plugins can be had as is wanted, and leave it at that.
    pub(crate) async fn rehearse(&self, wanted: &Wanted) -> Result<(), ReloadError> {
        let (before, plan) = (self.snapshot(), self.plan());
        let config = Arc::clone(&wanted.config);
        let next = Snapshot::next(Some(&before), config, self.counters.len());
        let next = Arc::new(next.map_err(|error| wanted.snapshot_error(&error))?);
        let host = Arc::clone(&self.host);
        let rehearsing = tokio::task::spawn_blocking(move || host.rehearse(&next, &plan));
        let rehearsed = rehearsing.await;
        let rehearsed = rehearsed.map_err(|error| wanted.error("", "", error.to_string()))?;
        Ok(rehearsed.map_err(|error| wanted.prepare_error(&error))?)
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
        Ok(self.publish_in_turn(&in_force, None).await?)
    }

    async fn publish_in_turn(
        &self,
        wanted: &Wanted,
        kept: Option<Kept>,
    ) -> Result<Reloaded, PublishError> {
        let before = (self.in_force.borrow().clone(), self.plan());
        // How many workers there are was decided at the start.
        let ready = ready(&self.host, Some(&before), wanted, self.counters.len()).await?;
        let (InForce { snapshot, .. }, plan) = before;
        if ready.next.snapshot.config == snapshot.config && same_seats(&plan, &ready.prepared.plan)
        {
            return Ok(Reloaded::Unchanged {
                generation: snapshot.generation,
            });
        }
        let had_keys = !snapshot.config.admin.plugin_keys.is_empty();
        let has_keys = !ready.next.snapshot.config.admin.plugin_keys.is_empty();
        let reloaded = self.hand_over(ready, kept).await?;
        if had_keys && !has_keys {
            tracing::warn!(
                "admin.plugin_keys is not there any more: from now on plugins are let in that \
                 nobody has signed"
            );
        }
        Ok(reloaded)
    }

    async fn hand_over(&self, ready: Ready, kept: Option<Kept>) -> Result<Reloaded, ReloadError> {
        let Ready { next, prepared } = ready;
        let data_plane = self.data_plane.lock().await;
        let data_plane = data_plane.as_ref().ok_or(ReloadError::Stopping)?;
        if let Some(mut kept) = kept {
            kept.entry().generation = Some(next.snapshot.generation.0);
            self.keeper.keep(kept).await?;
        }
        // Noted before the only wait, in which the workers answer: a caller
        // that gives up there must not leave the next change to be prepared on
        // top of a plan that the workers no longer have.
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(prepared.plan);
        // Before the prober follows, which reviews who may take work.
        next.snapshot.apply_draining();
        self.in_force.send_replace(next.clone());
        if let Some(probed) = &*self.probed() {
            probed.send_replace(next.clone());
        }
        let applied = data_plane.publish(&next, prepared.chains).await;
        Ok(Reloaded::Published {
            generation: next.snapshot.generation,
            workers: applied.workers,
            of: applied.of,
        })
    }

    fn probed(&self) -> MutexGuard<'_, Option<watch::Sender<InForce>>> {
        self.probed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Check servers no more: another gateway does.
    pub(crate) fn stop_probing(&self) {
        *self.probed() = None;
    }

    /// Duplicates of all that is listened on; none once the gateway stops.
    pub(crate) async fn lend(&self) -> Option<io::Result<Vec<Inherited>>> {
        let data_plane = self.data_plane.lock().await;
        data_plane.as_ref().map(DataPlane::lend)
    }

    /// Have every worker record the decisions of a pool's balancer.
    pub(crate) async fn record(&self, pool: &PoolName, recording: &Arc<Recording>) {
        if let Some(data_plane) = &*self.data_plane.lock().await {
            data_plane.record(pool, recording);
        }
    }

    /// Tell the gateways before this one that it receives what comes over UDP.
    pub(crate) async fn take_over(&self) {
        if let Some(data_plane) = &*self.data_plane.lock().await {
            data_plane.take_over();
        }
    }

    /// Own the files of sockets that were taken over.
    pub(crate) async fn own_files(&self) {
        if let Some(data_plane) = &*self.data_plane.lock().await {
            data_plane.own_files();
        }
    }

    /// Whether every worker answers within so long, or drains.
    pub(crate) async fn workers_answer(&self, within: Duration) -> bool {
        match &*self.data_plane.lock().await {
            Some(data_plane) => data_plane.answers(within).await,
            None => true,
        }
    }

    /// Take the data plane away, to end it; no change is taken any more.
    pub(crate) async fn close(&self) -> Option<DataPlane> {
        self.data_plane.lock().await.take()
    }
}

/// What is to be in force with all that it needs, to be handed over.
pub(crate) struct Ready {
    next: InForce,
    prepared: Prepared,
}

impl Ready {
    /// Which plugins are to be in force, and for which snapshot.
    pub(crate) fn coming(&self) -> (&Plan, &Snapshot) {
        (&self.prepared.plan, self.next.snapshot.as_ref())
    }
}

/// Why something is not put in force.
#[derive(Debug)]
pub(crate) enum PublishError {
    /// A plugin cannot be had where it is bound.
    Plugin {
        /// Where, such as `pools.web.balancer`.
        key: Key,
        errors: ConfigErrors,
    },
    /// Anything else.
    Other(ReloadError),
}

impl From<ReloadError> for PublishError {
    fn from(error: ReloadError) -> Self {
        Self::Other(error)
    }
}

impl From<ConfigErrors> for PublishError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Other(errors.into())
    }
}

impl From<PublishError> for ReloadError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Plugin { errors, .. } => Self::Config(errors),
            PublishError::Other(error) => error,
        }
    }
}

/// Make the next snapshot and everything that it needs.
async fn ready(
    host: &Arc<Host>,
    before: Option<&(InForce, Arc<Plan>)>,
    wanted: &Wanted,
    workers: usize,
) -> Result<Ready, PublishError> {
    let (in_force, plan) = before.map(|(in_force, plan)| (in_force, plan)).unzip();
    let snapshot = in_force.map(|in_force| &*in_force.snapshot);
    let next = Snapshot::next(snapshot, Arc::clone(&wanted.config), workers);
    let next = Arc::new(next.map_err(|error| wanted.snapshot_error(&error))?);
    let prepared = prepare(host, &next, plan.cloned()).await;
    let prepared = prepared.map_err(|error| wanted.error("", "", error.to_string()))?;
    let prepared = prepared.map_err(|error| PublishError::Plugin {
        key: SeatName::of_place(&error.place).key(),
        errors: wanted.prepare_error(&error),
    })?;
    let tls = tls(&next, in_force.cloned()).await;
    let tls = tls.map_err(|error| wanted.error("", "", error.to_string()))?;
    let tls = Arc::new(tls.map_err(|refusal| wanted.tls_error(&refusal))?);
    resolve_new(&next).await;
    let challenges = in_force.map(|in_force| Arc::clone(&in_force.challenges));
    let cache = in_force.map(|in_force| Arc::clone(&in_force.cache));
    let cache = cache.unwrap_or_else(|| Arc::new(Cache::new(&next.config)));
    let next = InForce {
        snapshot: next,
        tls,
        challenges: challenges.unwrap_or_default(),
        cache,
    };
    Ok(Ready { next, prepared })
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

/// Make what handshakes are done with, on a thread that may block: what the
/// system trusts is in files.
async fn tls(
    snapshot: &Arc<Snapshot>,
    before: Option<InForce>,
) -> io::Result<Result<TlsConfigs, TlsRefusal>> {
    let config = Arc::clone(&snapshot.config);
    let making = tokio::task::spawn_blocking(move || {
        let before = before.as_ref();
        let before = before.map(|before| (&*before.snapshot.config, &*before.tls));
        TlsConfigs::prepare(&config, before)
    });
    Ok(making.await?)
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
