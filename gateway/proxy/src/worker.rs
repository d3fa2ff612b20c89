//! What one worker owns, and how it takes over what the control plane
//! publishes: by a message, between two requests.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use gatewright_host::{Chain, ChainUpdate, Outcome, Recording};
use gatewright_model::config::Timeouts;
use gatewright_model::counters::WorkerCounters;
use gatewright_model::id::PoolName;
use gatewright_model::pool::Pool;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::access_log::{FLUSH_TICKS, Log};
use crate::compress::Output;
use crate::current::Current;
use crate::data_plane::InForce;
use crate::deadlines::{Deadlines, TICK};
use crate::explain::Explanations;
use crate::facts::Places;
use crate::hands::{AtRest, Hands};
use crate::outbox::Outbox;
use crate::prober::Suspects;
use crate::relay::Relay;
use crate::serve::Arrival;
use crate::telemetry::Telemetry;
use crate::tunnel::{TUNNEL_LANDING, TunnelLanding};
use crate::under_way::Counts;
use crate::upstream::{Landing, Upstream};

/// What the control plane tells a worker.
pub(crate) enum Message {
    /// Take this over and say so.
    Publish(Box<Publication>),
    /// Say that the thread goes round.
    Answer(oneshot::Sender<()>),
    /// Record the decisions of a pool's balancer.
    Record(PoolName, Arc<Recording>),
    /// Accept no more, finish what runs.
    Drain,
}

/// What comes into force and what one worker needs for it.
pub(crate) struct Publication {
    pub(crate) in_force: InForce,
    pub(crate) chain: ChainUpdate,
    pub(crate) taken_over: oneshot::Sender<()>,
}

/// One worker's state. Its thread alone touches it.
pub(crate) struct Worker {
    pub(crate) index: usize,
    counters: Arc<[WorkerCounters]>,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) outbox: Rc<Outbox>,
    /// Who serves connections without TLS, and with it.
    pub(crate) plain: Rc<Hands<Arrival>>,
    pub(crate) secured: Rc<Hands<Arrival>>,
    /// Who runs streams of HTTP/2, the types of which have no names.
    pub(crate) streams: AtRest<dyn Any>,
    pub(crate) landing: Rc<Landing>,
    /// Where the facts of the next requests are put.
    pub(crate) places: Places,
    pub(crate) tunnel_landing: TunnelLanding,
    /// Who carries what goes between two bare sockets, once there was such a tunnel.
    relay: OnceCell<Rc<Relay>>,
    /// What is done beside requests.
    pub(crate) under_way: Counts,
    /// Where bodies are compressed to.
    pub(crate) compressed: Output,
    pub(crate) random: RefCell<fastrand::Rng>,
    pub(crate) chain: RefCell<Chain>,
    pub(crate) suspects: Suspects,
    pub(crate) explanations: Arc<Explanations>,
    pub(crate) log: Log,
    pub(crate) telemetry: Telemetry,
    /// The tick from which on a request is explained unasked.
    pub(crate) next_sample: Cell<u64>,
    current: RefCell<Rc<Current>>,
    /// Servers that were removed while something was under way with them, and
    /// the tick at which that is cut.
    removed: RefCell<Vec<(Rc<Upstream>, u64)>>,
    /// Wakes who asks the shadows.
    pub(crate) shadows_wait: Notify,
    draining: Cell<bool>,
    /// Whether the time to finish is over.
    gives_up: Cell<bool>,
    /// Wakes the accept loops when draining begins.
    pub(crate) drain_begins: Notify,
    /// Wakes whoever tells clients over UDP that their connections are cut: no
    /// system does that for them.
    pub(crate) cut_begins: Notify,
    open: Cell<usize>,
    delays: Cell<u64>,
    /// Wakes whoever waits for room, or for the last connection to close.
    one_closed: Notify,
}

impl Worker {
    pub(crate) fn new(
        index: usize,
        counters: Arc<[WorkerCounters]>,
        in_force: InForce,
        chain: ChainUpdate,
        (suspects, telemetry): (Suspects, Telemetry),
    ) -> Rc<Self> {
        let chain = Chain::new(chain, &in_force.snapshot);
        let current = Current::new(None, in_force, &chain, index);
        counters[index]
            .generation
            .raise_to(current.snapshot.generation.0);
        Rc::new(Self {
            index,
            counters,
            deadlines: Deadlines::new(),
            outbox: Rc::default(),
            plain: Rc::default(),
            secured: Rc::default(),
            streams: AtRest::default(),
            landing: Rc::default(),
            places: Places::default(),
            under_way: Counts::default(),
            compressed: Output::default(),
            tunnel_landing: RefCell::new(vec![0; TUNNEL_LANDING].into()),
            relay: OnceCell::new(),
            random: RefCell::new(fastrand::Rng::new()),
            chain: RefCell::new(chain),
            suspects,
            explanations: Arc::clone(&telemetry.explanations),
            log: Log::new(&telemetry),
            telemetry,
            next_sample: Cell::new(0),
            current: RefCell::new(Rc::new(current)),
            removed: RefCell::default(),
            shadows_wait: Notify::new(),
            draining: Cell::new(false),
            gives_up: Cell::new(false),
            drain_begins: Notify::new(),
            cut_begins: Notify::new(),
            open: Cell::new(0),
            delays: Cell::new(0),
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

    /// Who carries what goes through tunnels between two bare sockets: at work from the
    /// first one on.
    pub(crate) fn relay(&self) -> io::Result<&Rc<Relay>> {
        if let Some(relay) = self.relay.get() {
            return Ok(relay);
        }
        let relay = Relay::new(TUNNEL_LANDING, &self.deadlines)?;
        let serving = Rc::clone(&relay);
        tokio::task::spawn_local(async move { serving.serve().await });
        Ok(self.relay.get_or_init(|| relay))
    }

    /// Whether it has more requests in flight than it may have.
    pub(crate) fn is_overloaded(&self) -> bool {
        let most = self.current.borrow().snapshot.config.limits.requests;
        most.is_some_and(|most| self.counters().in_flight.get() > most as u64)
    }

    /// Whether any policy looks at responses.
    pub(crate) fn has_finishers(&self) -> bool {
        !self.chain.borrow().finishers.is_empty()
    }

    /// Whether new work is refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Whether what has no answer yet is refused, since the time to finish is over.
    pub(crate) fn gives_up(&self) -> bool {
        self.gives_up.get()
    }

    /// Refuse what has no answer yet.
    pub(crate) fn give_up(&self) {
        self.gives_up.set(true);
        self.deadlines.wake_all();
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
                // Who asked may have given up.
                Message::Answer(asked) => _ = asked.send(()),
                Message::Record(pool, recording) => self.record(&pool, &recording),
                Message::Drain => break,
            }
        }
        self.draining.set(true);
        self.drain_begins.notify_waiters();
        self.deadlines.wake_all();
    }

    fn record(&self, pool: &PoolName, recording: &Arc<Recording>) {
        let current = self.current();
        let Some(pool) = current.snapshot.pool_named(pool.as_str()) else {
            return;
        };
        let mut chain = self.chain.borrow_mut();
        if let Some(seats) = chain.pools.get_mut(pool.index.index()) {
            seats.balancer.record(recording);
        }
    }

    fn take_over(&self, publication: Publication) {
        let started = Instant::now();
        let Publication {
            in_force,
            chain,
            taken_over,
        } = publication;
        let mut seats = self.chain.borrow_mut();
        seats.apply(chain, &in_force.snapshot);
        let next = Current::new(Some(&self.current()), in_force, &seats, self.index);
        let generation = next.snapshot.generation.0;
        self.let_go(&self.current(), &next);
        let before = self.current.replace(Rc::new(next));
        before.call_waiting_elsewhere(&self.current());
        self.current().call_waiting();
        let counters = self.counters();
        let micros = started.elapsed().as_micros() as u64;
        counters.longest_switch_us.raise_to(micros);
        counters.generation.raise_to(generation);
        self.one_closed.notify_waiters();
        // Nobody may be waiting any longer; that is theirs to know.
        let _ = taken_over.send(());
    }

    /// Give what is under way with servers that are gone its time to finish.
    fn let_go(&self, before: &Current, next: &Current) {
        let due = self
            .deadlines
            .tick_after(next.snapshot.config.timeouts.drain);
        let gone = before
            .gone_in(next)
            .map(|upstream| (Rc::clone(upstream), due));
        self.removed.borrow_mut().extend(gone);
    }

    /// Cut what is still under way with servers whose time is over.
    fn cut_removed(&self) {
        let now = self.deadlines.now();
        let mut removed = self.removed.borrow_mut();
        let is_due = |(upstream, due): &mut (Rc<Upstream>, u64)| {
            // Nobody else has it: nothing is under way.
            Rc::strong_count(upstream) == 1 || *due <= now
        };
        let mut cut = false;
        for (upstream, _) in removed.extract_if(.., is_due) {
            upstream.cut();
            cut |= Rc::strong_count(&upstream) > 1;
        }
        if cut {
            self.deadlines.wake_all();
        }
    }

    /// Sweep the deadlines, and now and then the idle connections, for ever.
    pub(crate) async fn sweep(&self) {
        let (mut flush_at, mut close_at) = (0, 0);
        loop {
            self.deadlines.pass(self.log.has_lines()).await;
            self.cut_removed();
            self.current().call_waiting();
            let now = self.deadlines.now();
            if now >= flush_at {
                self.log.flush();
                flush_at = now + FLUSH_TICKS;
            }
            if now >= close_at {
                self.current().close_idle(now);
                close_at = now + IDLE_SWEEP_TICKS;
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
        self.counters().connections.add(1);
    }

    /// Count a client's connection out.
    pub(crate) fn closed(&self) {
        self.open.set(self.open.get() - 1);
        self.counters().connections.sub(1);
        self.one_closed.notify_waiters();
    }

    /// A request waits before a server has it: for its turn, or for a connection.
    pub(crate) fn delayed(&self) {
        self.delays.set(self.delays.get() + 1);
    }

    /// How many requests have. A task that finds one more where it stops than where it
    /// went on has begun to.
    pub(crate) fn delays(&self) -> u64 {
        self.delays.get()
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
