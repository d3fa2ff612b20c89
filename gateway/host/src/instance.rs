//! One instance of a plugin in a store of its own: how it is prepared, and how
//! it is called within a budget.

mod recorded;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_model::config::Medium;
use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;
use wasmtime::{Store, Trap};

use crate::admission::Refusal;
use crate::backtrace::in_one_line;
use crate::binding::Binding;
use crate::contract::imports::types::{ConfigError, Endpoint, Outcome};
use crate::cookies::Cookies;
use crate::fault::Fault;
use crate::guest::Guest;
use crate::imports::edits::Names;
use crate::journal::{Level, cut};
use crate::lanes::Lane;
use crate::limits::{CROSSING_BYTES, Limits};
use crate::patience::Patience;
use crate::recording::{Call, Heard, Member, Recording, Tape};
use crate::ticker::TICK_MS;
use crate::version::{Calls, Functions};
use crate::view::{Effects, Lent};

/// Bytes of what the runtime says about a trap.
const DETAIL_BYTES: usize = 2048;

/// Bytes of the key that a plugin finds wrong in its configuration.
const KEY_BYTES: usize = 256;

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    millis: u64,
    ticks: u64,
}

impl Budget {
    /// For each call of a preparation, away from the workers.
    pub(crate) const PREPARATION: Self = Self::of_millis(250);

    /// For each call of a preparation, an update or a handover on a worker.
    pub(crate) const ON_WORKER: Self = Self::of_millis(10);

    /// For each call in a simulation: what comes out is not to depend on how fast
    /// the machine is, so that only what never ends is stopped.
    pub(crate) const IN_SIMULATION: Self = Self::of_millis(2000);

    const fn of_millis(millis: u64) -> Self {
        Self {
            millis,
            // One more because the first may come at once.
            ticks: millis.div_ceil(TICK_MS).saturating_add(1),
        }
    }

    /// A decision's, rounded up.
    pub(crate) fn of_decision(deadline: Duration) -> Self {
        let micros = u64::try_from(deadline.as_micros()).unwrap_or(u64::MAX);
        Self::of_millis(micros.div_ceil(1000))
    }

    pub(crate) fn millis(self) -> u64 {
        self.millis
    }

    /// The same in ticks of the clock that stops calls.
    pub(crate) fn ticks(self) -> u64 {
        self.ticks
    }
}

/// A call that had no answer. The instance is of no more use.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) detail: String,
}

/// Whose instance it is to be, and what it is to know.
#[derive(Clone)]
pub(crate) struct Assignment {
    pub(crate) binding: Arc<Binding>,
    pub(crate) worker: usize,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) pool: Option<Arc<Pool>>,
    /// Where its calls are written down, if they are.
    pub(crate) recording: Option<Arc<Recording>>,
}

/// A plugin that is configured and knows its pool.
pub(crate) struct Instance {
    store: Store<Guest>,
    functions: Functions,
    /// The pool's table that it was told last.
    pub(crate) table_version: u64,
    /// The pool's eligibility that it was told last.
    pub(crate) eligibility_version: u64,
    /// When it was told, on the coarse clock.
    pub(crate) told_ms: u64,
    /// One more than the highest slot that it ever heard of.
    pub(crate) widest: u32,
}

impl Instance {
    /// Instantiate, configure, update, eligible: each within the budget.
    pub(crate) fn prepare(to: &Assignment, budget: Budget) -> Result<Self, Refusal> {
        let began = Instant::now();
        let recording = to.recording.as_ref();
        let tape = recording.map(|recording| Tape::of(recording, to.worker));
        let mut instance = Self::configured(to, tape, budget)?;
        if let Some(pool) = &to.pool {
            let told = instance.update(pool, budget);
            told.map_err(|failure| failure.during("update"))?;
            let told = instance.eligible(pool, budget);
            told.map_err(|failure| failure.during("eligible"))?;
        }
        to.binding.prepared_in(began.elapsed());
        Ok(instance)
    }

    /// Instantiate and configure, within the budget.
    pub(crate) fn configured(
        to: &Assignment,
        tape: Option<Box<Tape>>,
        budget: Budget,
    ) -> Result<Self, Refusal> {
        let lane = to.binding.version.lane();
        let (store, functions) = enter(to, tape, lane, budget)?;
        let mut instance = Self {
            store,
            functions,
            table_version: 0,
            eligibility_version: 0,
            told_ms: 0,
            widest: 0,
        };
        instance.configure(&to.binding, budget)?;
        instance.note(|| Call::Configure);
        Ok(instance)
    }

    /// Check that a component's functions have the contract's types, as only
    /// the component's own lane can: core functions tell half of it.
    pub(crate) fn check(to: &Assignment, budget: Budget) -> Result<(), Refusal> {
        enter(to, None, Lane::Component, budget).map(drop)
    }

    /// Bytes of linear memory that it has taken.
    pub(crate) fn memory_used(&self) -> usize {
        self.store.data().limits.memory_used()
    }

    /// Whether it is asked with the load column.
    pub(crate) fn scans(&self) -> bool {
        matches!(self.functions.calls, Calls::Scanning(_))
    }

    /// Show it the pools as they are now.
    pub(crate) fn show(&mut self, snapshot: &Arc<Snapshot>, pool: Option<&Arc<Pool>>) {
        let guest = self.store.data_mut();
        guest.snapshot = Arc::clone(snapshot);
        guest.pool = pool.cloned();
    }

    /// Make a decision about an exchange, which is back when this returns. A
    /// decision that fails leaves no edits behind.
    pub(crate) fn decide<T>(
        &mut self,
        budget: Budget,
        lent: &mut Lent,
        call: impl FnOnce(&Calls, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        self.store.set_epoch_deadline(budget.ticks());
        let guest = self.store.data_mut();
        guest.edits_before = None;
        guest.patience = Patience::of(budget.millis());
        guest.exchange = lent.take();
        let answer = call(&self.functions.calls, &mut self.store);
        *lent = self.store.data_mut().exchange.take();
        answer.map_err(|error| {
            if let Some(view) = lent {
                self.take_back(view.effects());
            }
            Failure::of(&error, &self.store)
        })
    }

    /// Take back what the last decision had done: half of what was meant may be
    /// worse than nothing.
    pub(crate) fn take_back(&self, effects: &mut Effects) {
        if let Some(before) = self.store.data().edits_before {
            effects.edits.truncate(before);
        }
    }

    /// Tell it the pool's members.
    pub(crate) fn update(&mut self, pool: &Pool, budget: Budget) -> Result<(), Failure> {
        let endpoints: Vec<_> = pool
            .endpoints()
            .filter(|e| e.weight > 0)
            .map(described)
            .collect();
        self.tell_members(&endpoints, budget)?;
        self.table_version = pool.table_version;
        self.widest = self.widest.max(pool.width() as u32);
        self.note(|| {
            let members = pool.endpoints().filter(|e| e.weight > 0);
            let endpoints = members.map(|endpoint| Member::of(endpoint)).collect();
            Call::Update { endpoints }
        });
        Ok(())
    }

    /// Tell it these members.
    pub(crate) fn tell_members(
        &mut self,
        endpoints: &[Endpoint],
        budget: Budget,
    ) -> Result<(), Failure> {
        self.run(budget, |functions, store| match &functions.calls {
            Calls::Sticking(role) => role.call_update(store, endpoints),
            Calls::Balancing(role) => role.call_update(store, endpoints),
            Calls::Scanning(role) => role.call_update(store, endpoints),
            Calls::Screening(_) | Calls::Routing(_) | Calls::Finishing(_) => Ok(()),
        })
    }

    /// Tell it which members may take new work.
    pub(crate) fn eligible(&mut self, pool: &Pool, budget: Budget) -> Result<(), Failure> {
        // The version is read first: a change in between is told next time.
        let version = pool.state.eligibility_version();
        let eligible = pool.endpoints().filter(|e| e.is_eligible());
        let slots: Vec<_> = eligible.map(|endpoint| endpoint.slot().0).collect();
        self.tell_eligible(&slots, budget)?;
        self.eligibility_version = version;
        self.told_ms = self.store.data().binding.shared.ticker.ticker().coarse_ms();
        self.note(|| Call::Eligible { slots });
        Ok(())
    }

    /// Tell it that these members may take new work.
    pub(crate) fn tell_eligible(&mut self, slots: &[u32], budget: Budget) -> Result<(), Failure> {
        self.run(budget, |functions, store| match &functions.calls {
            Calls::Sticking(role) => role.call_eligible(store, slots),
            Calls::Balancing(role) => role.call_eligible(store, slots),
            Calls::Scanning(role) => role.call_eligible(store, slots),
            Calls::Screening(_) | Calls::Routing(_) | Calls::Finishing(_) => Ok(()),
        })
    }

    /// Tell it how attempts ended.
    pub(crate) fn observe(&mut self, outcomes: &[Outcome], budget: Budget) -> Result<(), Failure> {
        self.run(budget, |functions, store| match &functions.observing {
            Some(observing) => observing.call_observe(store, outcomes),
            None => Ok(()),
        })?;
        self.note(|| {
            let outcomes = outcomes.iter().map(Heard::from).collect();
            Call::Observe { outcomes }
        });
        Ok(())
    }

    /// What it has learned, if it hands that over: schema and state.
    pub(crate) fn save(&mut self, budget: Budget) -> Result<Option<(u32, Vec<u8>)>, Failure> {
        self.run(budget, |functions, store| match &functions.handover {
            Some(handover) => handover.call_save(store).map(Some),
            None => Ok(None),
        })
    }

    /// Give it what a predecessor has learned.
    pub(crate) fn restore(
        &mut self,
        (schema, state): (u32, &[u8]),
        budget: Budget,
    ) -> Result<(), Failure> {
        let restored = self.run(budget, |functions, store| match &functions.handover {
            Some(handover) => handover.call_restore(store, schema, state),
            None => Ok(Ok(())),
        })?;
        if let Err(reason) = restored {
            let binding = &self.store.data().binding;
            binding.write_log(Level::Warn, format!("handover.restore: {reason}"));
        }
        self.note(|| {
            let state = state.to_vec();
            Call::Restore { schema, state }
        });
        Ok(())
    }

    fn configure(&mut self, binding: &Binding, budget: Budget) -> Result<(), Refusal> {
        let config = &*binding.terms.config;
        let configured = self.run(budget, |functions, store| match &functions.calls {
            Calls::Screening(role) => role.call_configure(store, config),
            Calls::Routing(role) => role.call_configure(store, config),
            Calls::Sticking(role) => role.call_configure(store, config),
            Calls::Balancing(role) => role.call_configure(store, config),
            Calls::Scanning(role) => role.call_configure(store, config),
            Calls::Finishing(role) => role.call_configure(store, config),
        });
        let configured = configured.map_err(|failure| failure.during("configure"))?;
        configured.map_err(
            |ConfigError {
                 mut key,
                 mut reason,
             }| {
                cut(&mut key, KEY_BYTES);
                cut(&mut reason, DETAIL_BYTES);
                // The SDK hands serde's words on; plugins' own stay as they are.
                let reason = Medium::File.explain(&reason);
                Refusal::Config { key, reason }
            },
        )
    }

    fn run<T>(
        &mut self,
        budget: Budget,
        call: impl FnOnce(&Functions, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        begin(&mut self.store, budget);
        let answer = call(&self.functions, &mut self.store);
        answer.map_err(|error| Failure::of(&error, &self.store))
    }
}

fn begin(store: &mut Store<Guest>, budget: Budget) {
    let budget = store.data().binding.shared.budget(budget);
    store.data().binding.shared.ticker.begin(budget.ticks());
    store.data_mut().patience = Patience::of(budget.millis());
    store.set_epoch_deadline(budget.ticks());
}

/// A store with an instance in it, and the functions that its seat uses.
fn enter(
    to: &Assignment,
    tape: Option<Box<Tape>>,
    lane: Lane,
    budget: Budget,
) -> Result<(Store<Guest>, Functions), Refusal> {
    let (binding, version) = (&to.binding, &to.binding.version);
    let mut store = store(to);
    store.data_mut().tape = tape;
    // A start function can loop as well as any other.
    begin(&mut store, budget);
    let instance = version.instantiate(lane, &mut store);
    let instance = instance.map_err(|error| Failure::of(&error, &store).during("start"))?;
    let functions = version.functions(binding.role(), &mut store, &instance);
    let functions = functions.map_err(|error| Refusal::Mistyped(format!("{error:#}")))?;
    let functions =
        functions.ok_or_else(|| Refusal::wrong_role(binding.role(), &version.exports()))?;
    Ok((store, functions))
}

fn store(to: &Assignment) -> Store<Guest> {
    let binding = &to.binding;
    let guest = Guest {
        exchange: None,
        edits_before: None,
        binding: Arc::clone(binding),
        worker: to.worker,
        snapshot: Arc::clone(&to.snapshot),
        pool: to.pool.clone(),
        limits: Limits::new(binding.terms.memory, Arc::clone(&binding.in_use)),
        patience: Patience::default(),
        border: None,
        cookies: Cookies::default(),
        names: Names::default(),
        random: binding.shared.generator(binding.on_trial),
        tape: None,
    };
    let mut store = Store::new(&binding.shared.engine, guest);
    store.limiter(|guest| &mut guest.limits);
    // The runtime's own count begins anew with every call.
    store.set_hostcall_fuel(CROSSING_BYTES);
    store.epoch_deadline_callback(|mut call| Ok(call.data_mut().passed_deadline()));
    store
}

fn described(endpoint: &Arc<gatewright_model::endpoint::Endpoint>) -> Endpoint {
    Endpoint {
        slot: endpoint.slot().0,
        id: endpoint.id.to_string(),
        host: endpoint.host.to_string(),
        port: endpoint.port,
        weight: endpoint.weight.into(),
    }
}

impl Failure {
    #[cold]
    fn of(error: &wasmtime::Error, store: &Store<Guest>) -> Self {
        let limits = &store.data().limits;
        let fault = match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Fault::Overran,
            _ if limits.has_refused() => Fault::OutOfMemory,
            _ => Fault::Trapped,
        };
        let mut detail = in_one_line(error);
        if fault == Fault::OutOfMemory {
            let used = limits.memory_used();
            detail = format!("{used} bytes of memory were in use; {detail}");
        }
        cut(&mut detail, DETAIL_BYTES);
        Self { fault, detail }
    }

    fn during(self, stage: &'static str) -> Refusal {
        Refusal::Unprepared {
            stage,
            fault: self.fault,
            detail: self.detail,
        }
    }
}

impl From<Refusal> for Failure {
    /// A preparation that worked before and does not now.
    fn from(refusal: Refusal) -> Self {
        let fault = match &refusal {
            Refusal::Unprepared { fault, .. } => *fault,
            _ => Fault::Trapped,
        };
        Self {
            fault,
            detail: refusal.to_string(),
        }
    }
}
