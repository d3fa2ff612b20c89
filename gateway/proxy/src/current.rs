//! What requests of a worker read: the snapshot in force, with the worker's side
//! of each pool.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use gatewright_host::Chain;
use gatewright_model::endpoint::Endpoint;
use gatewright_model::id::{PoolIndex, Slot};
use gatewright_model::pool::Pool;
use gatewright_model::retry_budget::RetryBudgets;
use gatewright_model::snapshot::Snapshot;
use gatewright_wire::HeadLimits;
use http::HeaderName;

use crate::access_log;
use crate::cache::Cache;
use crate::data_plane::InForce;
use crate::entrance::Entrance;
use crate::tls::Challenges;
use crate::upstream::{Manner, Upstream};
use crate::worker::Worker;

/// What requests read: the snapshot, with this worker's side of each pool.
pub(crate) struct Current {
    pub(crate) snapshot: Arc<Snapshot>,
    /// What authorities are shown while certificates are ordered.
    pub(crate) challenges: Arc<Challenges>,
    /// What is kept of servers' answers.
    pub(crate) cache: Arc<Cache>,
    /// There are few, and each connection asks for one.
    entrances: BTreeMap<Arc<str>, Rc<Entrance>>,
    pools: Vec<PoolView>,
    /// Headers of responses that the access log tells of.
    pub(crate) logged_headers: Vec<HeaderName>,
    /// Whether any plugin has a shadow.
    shadowed: bool,
}

/// One worker's side of a pool.
pub(crate) struct PoolView {
    pub(crate) pool: Arc<Pool>,
    upstreams: Vec<Option<Rc<Upstream>>>,
    /// Where the fallback's rotation stands.
    pub(crate) rotation: Cell<usize>,
    /// The tick in which no server was found that a request could be tried on.
    pub(crate) no_trial_at: Cell<Option<u64>>,
    pub(crate) budgets: Rc<RetryBudgets>,
    /// Whether one of its plugins wants to hear of outcomes.
    pub(crate) observed: bool,
}

impl Current {
    pub(crate) fn new(
        before: Option<&Self>,
        InForce {
            snapshot,
            tls,
            challenges,
            cache,
        }: InForce,
        chain: &Chain,
        worker: usize,
    ) -> Self {
        let limits = HeadLimits {
            max_bytes: snapshot.config.limits.response_head,
            ..HeadLimits::DEFAULT
        };
        let view = |pool: &Arc<Pool>| {
            let before = before.and_then(|before| before.same_pool(pool));
            let seats = chain.pools.get(pool.index.index());
            let observed = seats.is_some_and(|seats| {
                let affinity = seats.affinity.as_ref();
                seats.balancer.observes() || affinity.is_some_and(gatewright_host::Seat::observes)
            });
            let manner = Manner::of(&pool.config, limits, tls.pool(&pool.name));
            PoolView::new(before, Arc::clone(pool), manner, worker, observed)
        };
        let pools = snapshot.pools.iter().map(view).collect();
        let config = &snapshot.config;
        let entrances = config.listeners.iter().map(|listener| {
            let entrance = Entrance::of(listener, &tls, config);
            (Arc::clone(&listener.name), Rc::new(entrance))
        });
        Self {
            entrances: entrances.collect(),
            logged_headers: access_log::wanted(config),
            snapshot,
            challenges,
            cache,
            pools,
            shadowed: chain.is_shadowed(),
        }
    }

    /// What holds for connections that come in by a listener.
    pub(crate) fn entrance(&self, listener: &str) -> Option<Rc<Entrance>> {
        self.entrances.get(listener).cloned()
    }

    /// Let the shadows have their turn soon, if there are any.
    pub(crate) fn stir_shadows(&self, worker: &Worker) {
        if self.shadowed {
            worker.shadows_wait.notify_one();
        }
    }

    /// The view of a pool that shares its state, and so its slots.
    fn same_pool(&self, pool: &Pool) -> Option<&PoolView> {
        let known = |view: &&PoolView| Arc::ptr_eq(&view.pool.state, &pool.state);
        self.pools.iter().find(known)
    }

    /// A pool by its place.
    pub(crate) fn pool(&self, index: PoolIndex) -> Option<&PoolView> {
        self.pools.get(index.index())
    }

    /// A pool by its name.
    pub(crate) fn pool_named(&self, name: &str) -> Option<&PoolView> {
        let named = |view: &&PoolView| view.pool.name.as_str() == name;
        self.pools.iter().find(named)
    }

    /// A pool that was known by its place in an earlier snapshot.
    pub(crate) fn still(&self, earlier: &Pool) -> Option<&PoolView> {
        let same = |view: &&PoolView| Arc::ptr_eq(&view.pool.state, &earlier.state);
        self.pool(earlier.index)
            .filter(same)
            .or_else(|| self.same_pool(earlier))
    }

    /// Close upstream connections that have been idle for too long.
    pub(crate) fn close_idle(&self, now: u64) {
        self.upstreams()
            .for_each(|upstream| upstream.close_idle(now));
    }

    /// Call those who wait for a pool as far as there is room for them. Whatever
    /// has changed (a limit, health, a server more or less) is noticed so, for
    /// nobody else tells them.
    pub(crate) fn call_waiting(&self) {
        for view in &self.pools {
            let queue = view.pool.state.queue();
            if queue.is_waited_in() {
                // Where nobody may take anything, all are to know.
                queue.call_first(view.pool.room().unwrap_or(usize::MAX));
            }
        }
    }

    /// Call those who wait for a pool that another state of things has no more.
    pub(crate) fn call_waiting_elsewhere(&self, next: &Self) {
        let gone = self
            .pools
            .iter()
            .filter(|view| next.still(&view.pool).is_none());
        gone.for_each(|view| view.pool.state.queue().call_first(usize::MAX));
    }

    fn upstreams(&self) -> impl Iterator<Item = &Rc<Upstream>> {
        self.pools.iter().flat_map(|pool| &pool.upstreams).flatten()
    }

    /// The upstreams of servers that another state of things has no more.
    pub(crate) fn gone_in<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = &'a Rc<Upstream>> {
        self.pools.iter().flat_map(move |view| {
            let next = next.still(&view.pool);
            view.upstreams.iter().flatten().filter(move |known| {
                let there = next.and_then(|next| next.upstream(known.state().slot()));
                !there.is_some_and(|there| Rc::ptr_eq(there, known))
            })
        })
    }
}

impl PoolView {
    fn new(
        before: Option<&Self>,
        pool: Arc<Pool>,
        manner: Manner,
        worker: usize,
        observed: bool,
    ) -> Self {
        let manner = Rc::new(manner);
        let mut upstreams = vec![None; pool.width()];
        for endpoint in pool.endpoints() {
            let slot = endpoint.slot();
            let known = before.and_then(|before| before.upstream(slot));
            let known = known.filter(|upstream| upstream.continues(endpoint));
            let new = || Upstream::new(endpoint, worker, &manner);
            let upstream = known.map_or_else(new, Rc::clone);
            upstream.adopt(&manner);
            upstream.break_by(pool.config.breaker);
            upstreams[slot.index()] = Some(upstream);
        }
        Self {
            pool,
            upstreams,
            no_trial_at: Cell::new(None),
            rotation: Cell::new(before.map_or(worker, |before| before.rotation.get())),
            budgets: before.map_or_else(Rc::default, |before| Rc::clone(&before.budgets)),
            observed,
        }
    }

    /// The worker's side of the endpoint in a slot.
    pub(crate) fn upstream(&self, slot: Slot) -> Option<&Rc<Upstream>> {
        self.upstreams.get(slot.index())?.as_ref()
    }

    /// The endpoint in a slot.
    pub(crate) fn endpoint(&self, slot: Slot) -> Option<&Arc<Endpoint>> {
        self.pool.endpoint(slot)
    }
}
