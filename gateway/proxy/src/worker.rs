//! What one worker owns, and how it takes over what the control plane
//! publishes: by a message, between two requests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use gatewright_host::{Chain, ChainUpdate, Outcome};
use gatewright_model::config::Timeouts;
use gatewright_model::counters::WorkerCounters;
use gatewright_model::endpoint::Endpoint;
use gatewright_model::id::{PoolIndex, Slot};
use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;
use gatewright_wire::HeadLimits;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::deadlines::{Deadlines, TICK};
use crate::explain::Explanations;
use crate::outbox::Outbox;
use crate::prober::Suspects;
use crate::retry::Budget;
use crate::upstream::{LANDING, Landing, Upstream};

/// What the control plane tells a worker.
pub(crate) enum Message {
    /// Take this over and say so.
    Publish(Box<Publication>),
    /// Accept no more, finish what runs.
    Drain,
}

/// A snapshot and what one worker needs for it.
pub(crate) struct Publication {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) chain: ChainUpdate,
    pub(crate) taken_over: oneshot::Sender<()>,
}

/// One worker's state. Its thread alone touches it.
pub(crate) struct Worker {
    pub(crate) index: usize,
    counters: Arc<[WorkerCounters]>,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) outbox: Rc<Outbox>,
    pub(crate) landing: Rc<Landing>,
    /// Where upstream request heads are written together.
    pub(crate) scratch: RefCell<BytesMut>,
    pub(crate) random: RefCell<fastrand::Rng>,
    pub(crate) chain: RefCell<Chain>,
    pub(crate) suspects: Suspects,
    pub(crate) explanations: Arc<Explanations>,
    /// The tick from which on a request is explained unasked.
    pub(crate) next_sample: Cell<u64>,
    current: RefCell<Rc<Current>>,
    /// Wakes who asks the shadows.
    shadows_wait: Notify,
    draining: Cell<bool>,
    /// Wakes the accept loops when draining begins.
    pub(crate) drain_begins: Notify,
    open: Cell<usize>,
    /// Wakes whoever waits for room, or for the last connection to close.
    one_closed: Notify,
}

/// What requests read: the snapshot, with this worker's side of each pool.
pub(crate) struct Current {
    pub(crate) snapshot: Arc<Snapshot>,
    pools: Vec<PoolView>,
    /// Whether any plugin has a shadow.
    shadowed: bool,
}

/// One worker's side of a pool.
pub(crate) struct PoolView {
    pub(crate) pool: Arc<Pool>,
    upstreams: Vec<Option<Rc<Upstream>>>,
    /// Where the fallback's rotation stands.
    pub(crate) rotation: Cell<usize>,
    pub(crate) budget: Rc<Budget>,
    /// Whether one of its plugins wants to hear of outcomes.
    pub(crate) observed: bool,
}

impl Worker {
    pub(crate) fn new(
        index: usize,
        counters: Arc<[WorkerCounters]>,
        snapshot: Arc<Snapshot>,
        chain: ChainUpdate,
        (suspects, explanations): (Suspects, Arc<Explanations>),
    ) -> Rc<Self> {
        let chain = Chain::new(chain, &snapshot);
        let current = Current::new(None, snapshot, &chain, index);
        counters[index]
            .generation
            .raise_to(current.snapshot.generation.0);
        Rc::new(Self {
            index,
            counters,
            deadlines: Deadlines::new(),
            outbox: Rc::default(),
            landing: Rc::new(RefCell::new(vec![0; LANDING].into())),
            scratch: RefCell::default(),
            random: RefCell::new(fastrand::Rng::new()),
            chain: RefCell::new(chain),
            suspects,
            explanations,
            next_sample: Cell::new(0),
            current: RefCell::new(Rc::new(current)),
            shadows_wait: Notify::new(),
            draining: Cell::new(false),
            drain_begins: Notify::new(),
            open: Cell::new(0),
            one_closed: Notify::new(),
        })
    }

    /// This worker's figures.
    pub(crate) fn counters(&self) -> &WorkerCounters {
        &self.counters[self.index]
    }

    /// What is in force now. Hold it until the response's head at most.
    pub(crate) fn current(&self) -> Rc<Current> {
        Rc::clone(&self.current.borrow())
    }

    /// The waiting times in force.
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.current.borrow().snapshot.config.timeouts
    }

    /// Whether any policy looks at responses.
    pub(crate) fn has_finishers(&self) -> bool {
        !self.chain.borrow().finishers.is_empty()
    }

    /// Whether new work is refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Tell a pool's plugins how an attempt ended.
    pub(crate) fn observe(&self, pool: &Pool, outcome: Outcome) {
        let current = self.current();
        let Some(view) = current.still(pool) else {
            return;
        };
        let mut chain = self.chain.borrow_mut();
        let Some(seats) = chain.pools.get_mut(view.pool.index.index()) else {
            return;
        };
        if let Some(affinity) = seats.affinity.as_mut().filter(|seat| seat.observes()) {
            affinity.observe(outcome);
        }
        if seats.balancer.observes() {
            seats.balancer.observe(outcome);
        }
    }

    /// Obey the control plane until it hangs up or says to drain.
    pub(crate) async fn obey(&self, mut messages: mpsc::UnboundedReceiver<Message>) {
        while let Some(message) = messages.recv().await {
            match message {
                Message::Publish(publication) => self.take_over(*publication),
                Message::Drain => break,
            }
        }
        self.draining.set(true);
        self.drain_begins.notify_waiters();
        self.deadlines.wake_all();
    }

    fn take_over(&self, publication: Publication) {
        let started = Instant::now();
        let Publication {
            snapshot,
            chain,
            taken_over,
        } = publication;
        let mut seats = self.chain.borrow_mut();
        seats.apply(chain, &snapshot);
        let next = Current::new(Some(&self.current()), snapshot, &seats, self.index);
        let generation = next.snapshot.generation.0;
        *self.current.borrow_mut() = Rc::new(next);
        let counters = self.counters();
        let micros = started.elapsed().as_micros() as u64;
        counters.longest_switch_us.raise_to(micros);
        counters.generation.raise_to(generation);
        self.one_closed.notify_waiters();
        // Nobody may be waiting any longer; that is theirs to know.
        let _ = taken_over.send(());
    }

    /// Sweep the deadlines, and now and then the idle connections, for ever.
    pub(crate) async fn sweep(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.deadlines.sweep();
            let now = self.deadlines.now();
            if now.is_multiple_of(IDLE_SWEEP_TICKS) {
                self.current().close_idle(now);
            }
        }
    }

    /// Ask the shadows what was kept for them, for ever: after what has been
    /// decided on is on its way.
    pub(crate) async fn ask_shadows(&self) {
        loop {
            self.shadows_wait.notified().await;
            self.outbox.send();
            self.chain.borrow_mut().run_shadows();
        }
    }

    /// Count a client's connection in.
    pub(crate) fn opened(&self) {
        self.open.set(self.open.get() + 1);
        self.counters().accepted.add(1);
        self.counters().connections.add(1);
    }

    /// Count a client's connection out.
    pub(crate) fn closed(&self) {
        self.open.set(self.open.get() - 1);
        self.counters().connections.sub(1);
        self.one_closed.notify_waiters();
    }

    /// How many clients are connected.
    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    /// Wait until fewer than `limit` clients are connected; a publication may
    /// change the limit meanwhile.
    pub(crate) async fn room_within(&self, limit: impl Fn() -> usize) {
        while self.open.get() >= limit() {
            self.one_closed.notified().await;
        }
    }
}

/// How often idle upstream connections are looked through: every 5 s.
const IDLE_SWEEP_TICKS: u64 = 5_000 / TICK.as_millis() as u64;

impl Current {
    fn new(before: Option<&Self>, snapshot: Arc<Snapshot>, chain: &Chain, worker: usize) -> Self {
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
            PoolView::new(before, Arc::clone(pool), limits, worker, observed)
        };
        let pools = snapshot.pools.iter().map(view).collect();
        Self {
            snapshot,
            pools,
            shadowed: chain.is_shadowed(),
        }
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

    /// A pool that was known by its place in an earlier snapshot.
    pub(crate) fn still(&self, earlier: &Pool) -> Option<&PoolView> {
        let same = |view: &&PoolView| Arc::ptr_eq(&view.pool.state, &earlier.state);
        self.pool(earlier.index)
            .filter(same)
            .or_else(|| self.same_pool(earlier))
    }

    fn close_idle(&self, now: u64) {
        let upstreams = self.pools.iter().flat_map(|pool| &pool.upstreams);
        upstreams
            .flatten()
            .for_each(|upstream| upstream.close_idle(now));
    }
}

impl PoolView {
    fn new(
        before: Option<&Self>,
        pool: Arc<Pool>,
        limits: HeadLimits,
        worker: usize,
        observed: bool,
    ) -> Self {
        let mut upstreams = vec![None; pool.width()];
        for endpoint in pool.endpoints() {
            let slot = endpoint.slot();
            let known = before.and_then(|before| before.upstream(slot));
            let known = known.filter(|upstream| upstream.continues(endpoint));
            let idle = pool.config.idle_connections;
            let upstream =
                known.map_or_else(|| Upstream::new(endpoint, worker, idle, limits), Rc::clone);
            upstream.limit(idle, limits);
            upstreams[slot.index()] = Some(upstream);
        }
        Self {
            pool,
            upstreams,
            rotation: Cell::new(before.map_or(worker, |before| before.rotation.get())),
            budget: before.map_or_else(Rc::default, |before| Rc::clone(&before.budget)),
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
