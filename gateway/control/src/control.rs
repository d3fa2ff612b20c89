//! What the control plane's parts share, and the one path of every change,
//! whoever asks for it: files, the API, the plugin host.
//!
//! Changes take turns. Each is a draft of all that is wanted; the draft is
//! checked whole and prepared for every worker, then kept in the store, and
//! only then published. Whatever goes wrong before that leaves nothing behind.

mod declared;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use gatewright_model::address::Address;
use gatewright_model::config::Config;
use gatewright_model::id::Generation;
use gatewright_proxy::{DataPlane, Telemetry};
use tokio::sync::Mutex;

use crate::access::Access;
use crate::access_log::AccessLog;
use crate::acme::Standings;
use crate::burden::Burdens;
use crate::catalog::Catalog;
use crate::certify::Battery;
use crate::change::{Author, Change, Changed, Recorded, Refusal};
use crate::cluster::{Attempts, ClusterError, Ticket};
use crate::desired::{Desired, Draft};
use crate::discovery::Discovery;
use crate::edits::{component_digests, edited};
pub(crate) use crate::edits::{edit, entry_of_files};
use crate::error::ReloadError;
use crate::events::{Events, Happened};
use crate::handover::Handovers;
use crate::keeper::{Keeper, Kept};
use crate::live::Live;
use crate::overview::workers_at;
use crate::publisher::{PublishError, Publisher, Reloaded};
use crate::readiness::Readiness;
use crate::recordings::Recordings;
use crate::reloads::Reloads;
use crate::remembered::Memory;
use crate::restart;
use crate::roster::Roster;
use crate::series::Series;
use crate::session_names::SessionNames;
use crate::sharing::Sharing;
use crate::store::{Entry, Record, Store};
use crate::timestamp::{Moments, Timestamp};
use crate::uploads::Uploads;

/// What the control plane's parts share.
pub(crate) struct Control {
    /// Who changes something holds it from the reading to the publication, so
    /// that what was asked for later is in force later.
    pub(crate) turn: Mutex<()>,
    /// Who deletes what is in memory alone holds it from the finding to the removal,
    /// so that of two who ask at once one deletes it and is in the audit log.
    pub(crate) deleting: Mutex<()>,
    desired: RwLock<Arc<Desired>>,
    pub(crate) publisher: Publisher,
    pub(crate) events: Arc<Events>,
    pub(crate) store: Store,
    pub(crate) keeper: Keeper,
    pub(crate) session_names: Arc<SessionNames>,
    pub(crate) memory: Memory,
    pub(crate) sharing: Option<Sharing>,
    pub(crate) access: Arc<Access>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) battery: Battery,
    pub(crate) uploads: Uploads,
    pub(crate) handovers: Handovers,
    pub(crate) recordings: Recordings,
    pub(crate) roster: Roster,
    pub(crate) discovery: Arc<Discovery>,
    pub(crate) readiness: Readiness,
    pub(crate) reloads: Reloads,
    pub(crate) live: Live,
    pub(crate) moments: Moments,
    pub(crate) series: Series,
    pub(crate) burdens: Burdens,
    /// How it stands with certificates that are ordered.
    pub(crate) standings: Standings,
    /// Where clients connect, in the order of the configuration.
    pub(crate) listeners: Vec<Address>,
    /// Where workers hand over what they tell of requests.
    pub(crate) telemetry: Telemetry,
    pub(crate) access_log: AccessLog,
    pub(crate) started: Instant,
    /// What tells this run's generations from those of another.
    pub(crate) run: u64,
}

/// The parts that a control plane is made of.
pub(crate) struct Parts {
    pub(crate) desired: Desired,
    pub(crate) publisher: Publisher,
    pub(crate) events: Arc<Events>,
    pub(crate) keeper: Keeper,
    pub(crate) memory: Memory,
    pub(crate) sharing: Option<Sharing>,
    pub(crate) battery: Battery,
    pub(crate) discovery: Arc<Discovery>,
    pub(crate) listeners: Vec<Address>,
    pub(crate) telemetry: Telemetry,
    pub(crate) access_log: AccessLog,
}

impl Control {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            turn: Mutex::default(),
            deleting: Mutex::default(),
            desired: RwLock::new(Arc::new(parts.desired)),
            publisher: parts.publisher,
            events: parts.events,
            store: parts.keeper.store.clone(),
            session_names: Arc::clone(&parts.keeper.session_names),
            access: Arc::clone(&parts.keeper.access),
            catalog: Arc::clone(&parts.keeper.catalog),
            keeper: parts.keeper,
            memory: parts.memory,
            sharing: parts.sharing,
            battery: parts.battery,
            uploads: Uploads::default(),
            handovers: Handovers::default(),
            recordings: Recordings::default(),
            roster: Roster::default(),
            discovery: parts.discovery,
            readiness: Readiness::default(),
            reloads: Reloads::default(),
            live: Live::default(),
            moments: Moments::default(),
            series: Series::default(),
            burdens: Burdens::default(),
            standings: Standings::default(),
            listeners: parts.listeners,
            telemetry: parts.telemetry,
            access_log: parts.access_log,
            started: Instant::now(),
            run: Timestamp::now().0,
        }
    }

    /// Make a change that `make` describes, given what is in force. It is
    /// finished whether or not anybody waits for the answer.
    pub(crate) async fn change(
        self: &Arc<Self>,
        who: impl Into<Author>,
        expected: Option<Generation>,
        make: impl FnOnce(&Config) -> Result<Change, Refusal> + Clone + Send + 'static,
    ) -> Result<Changed, Refusal> {
        let make = |config: &Config| make(config).map(Recorded::from);
        self.change_recorded(who, expected, make).await
    }

    /// [`Self::change`], with what is kept together with it.
    pub(crate) async fn change_recorded(
        self: &Arc<Self>,
        who: impl Into<Author>,
        expected: Option<Generation>,
        make: impl FnOnce(&Config) -> Result<Recorded, Refusal> + Clone + Send + 'static,
    ) -> Result<Changed, Refusal> {
        let (control, who) = (Arc::clone(self), who.into());
        let changing = tokio::spawn(async move {
            let _turn = control.turn.lock().await;
            control.change_in_turn(who, expected, make).await
        });
        changing.await.unwrap_or(Err(Refusal::Stopping))
    }

    /// In a cluster, the change is made anew on what other gateways have changed
    /// meanwhile, so that none of both is lost.
    async fn change_in_turn(
        &self,
        who: Author,
        expected: Option<Generation>,
        make: impl FnOnce(&Config) -> Result<Recorded, Refusal> + Clone,
    ) -> Result<Changed, Refusal> {
        self.may_change()?;
        let mut attempts = Attempts::at(self.keeper.cluster.as_ref());
        while attempts.another().await {
            let behind = self.catch_up_in_turn().await.err();
            let desired = self.desired();
            let making = (expected, make.clone());
            let ticket = attempts.ticket();
            let changing = self.change_once(&desired, behind, who.clone(), making, ticket);
            match changing.await {
                Err(Refusal::Cluster(ClusterError::Moved)) => {}
                outcome => return outcome,
            }
        }
        self.note_refused(ClusterError::Moved.to_string());
        Err(ClusterError::Moved.into())
    }

    async fn change_once(
        &self,
        desired: &Desired,
        behind: Option<ReloadError>,
        who: Author,
        (expected, make): (
            Option<Generation>,
            impl FnOnce(&Config) -> Result<Recorded, Refusal>,
        ),
        ticket: Option<Ticket>,
    ) -> Result<Changed, Refusal> {
        let in_force = self.publisher.snapshot();
        if expected.is_some_and(|expected| expected != in_force.generation) {
            return Err(Refusal::Stale);
        }
        let recorded = make(&in_force.config)?;
        // What concerns this gateway alone, such as a renewed certificate, goes on.
        if let Some(error) = behind.filter(|_| recorded.is_shared()) {
            return Err(error.into());
        }
        if let Some(arrival) = &recorded.component {
            self.keep_component(arrival.clone()).await?;
        }
        let touched: Vec<_> = component_digests(&recorded).collect();
        let changed = self.carry_out(desired, who, recorded, ticket).await;
        // What was not kept after all, and what is a version no more.
        self.forget_components(touched).await;
        changed
    }

    async fn carry_out(
        &self,
        desired: &Desired,
        who: Author,
        recorded: Recorded,
        ticket: Option<Ticket>,
    ) -> Result<Changed, Refusal> {
        let in_force = self.publisher.snapshot();
        let edits = &recorded.change.edits;
        let draft = desired.with(edit(desired, edits), edits).await?;
        let records = self.records(desired, &draft, &in_force.config, &recorded);
        let entry = Entry {
            at: Timestamp::now(),
            who: who.name,
            from: who.from,
            action: recorded.change.action.to_owned(),
            target: recorded.change.target,
            generation: None,
        };
        let outcome = self.publish(desired, &draft, records.clone(), entry.clone(), ticket);
        let outcome = outcome.await;
        let outcome = outcome.map_err(|error| ReloadError::from(error).without_places());
        // Whoever was overtaken tries again, and is refused only once that is given up.
        if !matches!(outcome, Err(ReloadError::Cluster(ClusterError::Moved))) {
            self.note(&outcome);
        }
        let changed = match outcome? {
            Reloaded::Published {
                generation,
                workers,
                of,
            } => Changed {
                is_new: true,
                generation,
                workers,
                of,
            },
            Reloaded::Unchanged { generation } => {
                if records.is_empty() {
                    return Ok(self.as_it_is(generation));
                }
                let edited = edited(desired, &draft, records, entry);
                self.keeper
                    .keep(Kept::Made(Box::new(edited), ticket))
                    .await?;
                self.as_it_is(generation)
            }
        };
        self.put(Desired::of(desired.origin.clone(), draft));
        self.keep_file_versions().await;
        Ok(changed)
    }

    /// Put a draft in force and keep it, if it differs from what is.
    async fn publish(
        &self,
        desired: &Desired,
        draft: &Draft,
        records: Vec<Record>,
        entry: Entry,
        ticket: Option<Ticket>,
    ) -> Result<Reloaded, PublishError> {
        let edited = edited(desired, draft, records, entry);
        self.publish_kept(draft, Kept::Made(Box::new(edited), ticket))
            .await
    }

    /// Put a draft in force, if it differs from what is, once this is kept.
    pub(crate) async fn publish_kept(
        &self,
        draft: &Draft,
        kept: Kept,
    ) -> Result<Reloaded, PublishError> {
        let in_force = self.publisher.snapshot();
        if let Some(error) = restart::needed(&in_force.config, &draft.wanted) {
            return Err(ReloadError::NeedsRestart(error).into());
        }
        self.publisher.publish(&draft.wanted, kept).await
    }

    fn as_it_is(&self, generation: Generation) -> Changed {
        let workers = self.publisher.counters();
        Changed {
            is_new: false,
            generation,
            workers: workers_at(workers, generation),
            of: workers.len(),
        }
    }

    /// What is wanted and in force.
    pub(crate) fn desired(&self) -> Arc<Desired> {
        let desired = self.desired.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&desired)
    }

    pub(crate) fn put(&self, desired: Desired) {
        let mut held = self.desired.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(desired);
    }

    /// Replace quarantined versions by those before them, where there are any.
    pub(crate) async fn replace_quarantined(&self) {
        self.note(&self.publisher.publish_again().await);
    }

    /// Log what a change came to, and keep it among the events.
    pub(crate) fn note(&self, outcome: &Result<Reloaded, ReloadError>) {
        let reloaded = match outcome {
            Ok(reloaded) => *reloaded,
            Err(error) => return self.note_refused(error.to_string()),
        };
        self.events.push(Happened::Reloaded(reloaded));
        match reloaded {
            Reloaded::Published { workers, of, .. } if workers < of => {
                tracing::warn!(workers, of, "a change is not yet in force on every worker");
            }
            reloaded => tracing::info!("{reloaded}"),
        }
    }

    /// The same of a change that was refused.
    pub(crate) fn note_refused(&self, reason: String) {
        tracing::error!("a change was refused: {reason}");
        self.events.push(Happened::Refused(reason));
    }

    /// Drain the data plane and wait for its end; new clients are refused.
    pub(crate) async fn stop(&self) {
        self.readiness.stop();
        let leaving = async {
            if let Some(cluster) = &self.keeper.cluster {
                cluster.leave(self).await;
            }
        };
        // A server that hangs holds no drain up.
        tokio::join!(leaving, self.drain(DataPlane::drain));
        if let Some(sharing) = &self.sharing {
            sharing.end(self).await;
        }
        self.write_memory().await;
    }

    /// Take the data plane away, have it drain in this way, and wait for its end.
    pub(crate) async fn drain(&self, way: fn(&mut DataPlane)) {
        let Some(mut data_plane) = self.publisher.close().await else {
            return;
        };
        way(&mut data_plane);
        let ending = tokio::task::spawn_blocking(move || data_plane.join());
        if let Err(error) = ending.await {
            tracing::error!(%error, "the workers were not waited for");
        }
        self.access_log.end().await;
    }
}
