//! One worker's instance of one binding: it asks the instance, answers for what
//! goes wrong, and sees to it that there is an instance again.

mod recorded;
mod share;
mod succession;
mod upkeep;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use gatewright_model::id::{EndpointId, PoolIndex, Slot};
use gatewright_model::pool::Pool;
use gatewright_model::role::Role;
use gatewright_model::snapshot::Snapshot;

use crate::binding::Binding;
use crate::column::LoadColumn;
use crate::contract::imports::types;
use crate::contract::roles::{routing, screening};
use crate::fault::Fault;
use crate::instance::{Assignment, Budget, Failure, Instance};
use crate::preparer::Mailbox;
use crate::recording::Recording;
use crate::statistics::SeatCounters;
use crate::version::Calls;
use crate::view::{Answer, Ending, Lent, Outcome, Route, Verdict};

/// Outcomes that wait to be heard; the oldest are dropped.
const OUTCOMES: usize = 256;

/// One decision in 64 is timed, the first among them: the clock is not asked
/// for the others.
const SAMPLE: u64 = 64 - 1;

use share::Share;
pub(crate) use succession::OccupantUpdate;

/// One worker's instance of one binding, or its absence.
pub(crate) struct Occupant {
    binding: Arc<Binding>,
    worker: usize,
    snapshot: Arc<Snapshot>,
    pool: Option<Arc<Pool>>,
    instance: Option<Instance>,
    mailbox: Option<Arc<Mailbox>>,
    budget: Budget,
    column: LoadColumn,
    outcomes: VecDeque<types::Outcome>,
    observed_ms: u64,
    /// The bits of a decision's number that are 0 when it is timed.
    untimed: u64,
    share: Share,
    /// What its decisions are written to.
    recording: Option<Arc<Recording>>,
    /// Where the instance will be whose life is recorded.
    understudy: Option<Arc<Mailbox>>,
}

impl Occupant {
    /// One that has no past.
    pub(crate) fn new(assignment: Assignment, instance: Option<Instance>) -> Self {
        let deadline = Budget::of_decision(assignment.binding.terms.deadline);
        Self {
            budget: assignment.binding.shared.budget(deadline),
            share: Share::of(assignment.binding.terms.cpu_share),
            binding: assignment.binding,
            worker: assignment.worker,
            snapshot: assignment.snapshot,
            pool: assignment.pool,
            instance,
            mailbox: None,
            column: LoadColumn::default(),
            outcomes: VecDeque::new(),
            observed_ms: 0,
            untimed: SAMPLE,
            recording: assignment.recording,
            understudy: None,
        }
    }

    /// The version and the seat that it is in.
    pub(crate) fn binding(&self) -> &Arc<Binding> {
        &self.binding
    }

    /// Which worker it serves.
    pub(crate) fn worker(&self) -> usize {
        self.worker
    }

    /// Bytes of linear memory that the instance has taken; none without one.
    pub(crate) fn memory_used(&self) -> Option<usize> {
        self.instance.as_ref().map(Instance::memory_used)
    }

    /// Ask the clock for each decision, where there are few.
    pub(crate) fn time_every_decision(&mut self) {
        self.untimed = 0;
    }

    /// The name of the endpoint or the pool that an answer means.
    pub(crate) fn name_of(&self, answer: Answer) -> Option<String> {
        match answer {
            Answer::Endpoint(slot) => {
                let endpoint = self.pool.as_ref()?.endpoint(slot?)?;
                Some(endpoint.id.to_string())
            }
            Answer::Route(Route::Forward(pool)) => Some(self.snapshot.pool(pool)?.name.to_string()),
            Answer::Route(_) | Answer::Verdict(_) | Answer::Done => None,
        }
    }

    /// The endpoints that a balancer may choose from now.
    pub(crate) fn candidates(&self, lent: &Lent) -> Vec<EndpointId> {
        let Some(pool) = self
            .pool
            .as_ref()
            .filter(|_| self.binding.role() == Role::Balancer)
        else {
            return Vec::new();
        };
        let tried = lent.as_deref().map_or(&[] as &[Slot], |view| view.tried());
        let endpoints = pool.endpoints();
        let free =
            endpoints.filter(|e| e.is_eligible() && e.has_room() && !tried.contains(&e.slot()));
        free.map(|endpoint| endpoint.id.clone()).collect()
    }

    /// Ask a request policy whether a request may go on.
    ///
    /// # Errors
    ///
    /// As for every decision: the cause why there is no answer.
    pub(crate) fn check(&mut self, lent: &mut Lent) -> Result<Verdict, Fault> {
        let began = self.begin()?;
        let Some(instance) = &mut self.instance else {
            return Err(self.vacant());
        };
        let answer = instance.decide(self.budget, lent, |calls, store| match calls {
            Calls::Screening(role) => role.call_check(store),
            _ => Err(misplaced()),
        });
        match self.end(began, answer)? {
            screening::Verdict::Proceed => Ok(Verdict::Proceed),
            screening::Verdict::Answer(status) => Ok(Verdict::Answer(self.status(status, lent)?)),
        }
    }

    /// Ask the router where a request goes.
    pub(crate) fn route(&mut self, lent: &mut Lent) -> Result<Route, Fault> {
        let began = self.begin()?;
        let Some(instance) = &mut self.instance else {
            return Err(self.vacant());
        };
        let answer = instance.decide(self.budget, lent, |calls, store| match calls {
            Calls::Routing(role) => role.call_route(store),
            _ => Err(misplaced()),
        });
        match self.end(began, answer)? {
            routing::Decision::Forward(pool) if (pool as usize) < self.snapshot.pools.len() => {
                Ok(Route::Forward(PoolIndex(pool)))
            }
            routing::Decision::Forward(pool) => Err(self.impossible("pool", pool, lent)),
            routing::Decision::Answer(status) => Ok(Route::Answer(self.status(status, lent)?)),
            routing::Decision::Unmatched => Ok(Route::Unmatched),
        }
    }

    /// Ask an affinity which endpoint has the client's session.
    pub(crate) fn lookup(&mut self, lent: &mut Lent) -> Result<Option<Slot>, Fault> {
        let began = self.begin()?;
        let Some(instance) = &mut self.instance else {
            return Err(self.vacant());
        };
        let answer = instance.decide(self.budget, lent, |calls, store| match calls {
            Calls::Sticking(role) => role.call_lookup(store),
            _ => Err(misplaced()),
        });
        let slot = self.end(began, answer)?;
        self.slot(slot, lent)
    }

    /// Tell an affinity which endpoint answered.
    pub(crate) fn bind(&mut self, answered: Slot, lent: &mut Lent) -> Result<(), Fault> {
        let began = self.begin()?;
        let Some(instance) = &mut self.instance else {
            return Err(self.vacant());
        };
        let answer = instance.decide(self.budget, lent, |calls, store| match calls {
            Calls::Sticking(role) => role.call_bind(store, answered.0),
            _ => Err(misplaced()),
        });
        self.end(began, answer)
    }

    /// Ask a balancer for an endpoint; none when it has no opinion. The slot
    /// has been an endpoint's, but may not be usable any more.
    pub(crate) fn pick(&mut self, key: u64, lent: &mut Lent) -> Result<Option<Slot>, Fault> {
        let began = self.begin()?;
        let Some(instance) = &mut self.instance else {
            return Err(self.vacant());
        };
        let load = match &self.pool {
            Some(pool) if instance.scans() || self.recording.is_some() => {
                let tried = lent.as_deref().map_or(&[] as &[Slot], |view| view.tried());
                self.column.fill(pool, tried)
            }
            _ => &[],
        };
        let answer = instance.decide(self.budget, lent, |calls, store| match calls {
            Calls::Balancing(role) => role.call_pick(store, key),
            Calls::Scanning(role) => role.call_pick(store, key, load),
            _ => Err(misplaced()),
        });
        if self.recording.is_some() {
            instance.note_pick((key, load), lent, &answer);
        }
        let slot = self.end(began, answer)?;
        self.slot(slot, lent)
    }

    /// Let a response policy edit the head of a response.
    pub(crate) fn finish(&mut self, status: u16, lent: &mut Lent) -> Result<(), Fault> {
        let began = self.begin()?;
        let Some(instance) = &mut self.instance else {
            return Err(self.vacant());
        };
        let answer = instance.decide(self.budget, lent, |calls, store| match calls {
            Calls::Finishing(role) => role.call_finish(store, status),
            _ => Err(misplaced()),
        });
        self.end(began, answer)
    }

    /// Whether the plugin wants to hear how attempts ended.
    pub(crate) fn observes(&self) -> bool {
        self.pool.is_some() && self.binding.version.observes()
    }

    /// Keep an outcome until the plugin is told, before a later decision.
    pub(crate) fn observe(&mut self, outcome: Outcome) {
        if !self.observes() {
            return;
        }
        if self.outcomes.len() == OUTCOMES {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back(described(outcome));
    }

    /// The plugin's answer could not be used.
    pub(crate) fn overruled(&mut self) {
        self.counters().overruled.add(1);
    }

    fn counters(&self) -> &SeatCounters {
        &self.binding.counters()[self.worker]
    }

    /// What every decision begins with. Returns the time if this one is a
    /// sample.
    #[inline]
    fn begin(&mut self) -> Result<Option<Instant>, Fault> {
        let decisions = &self.counters().decisions;
        let sampled = decisions.get() & self.untimed == 0;
        decisions.add(1);
        match !sampled && self.is_ready() {
            true => Ok(None),
            false => self.prepare_to_begin(sampled),
        }
    }

    /// Whether the instance may be asked as it is.
    fn is_ready(&self) -> bool {
        self.instance.is_some()
            && self.recording.is_none()
            && !self.binding.is_quarantined()
            && !self.share.is_resting()
            && self.binding.shared.ticker.is_awake(self.budget.ticks())
            && !self.has_news()
    }

    #[cold]
    fn prepare_to_begin(&mut self, sampled: bool) -> Result<Option<Instant>, Fault> {
        if self.binding.is_quarantined() {
            self.counters().faulted(Fault::Quarantined);
            return Err(Fault::Quarantined);
        }
        if self.share.is_used_up(self.binding.shared.ticker.ticker()) {
            self.counters().faulted(Fault::Capped);
            return Err(Fault::Capped);
        }
        self.binding.shared.ticker.begin(self.budget.ticks());
        if self.instance.is_none() {
            self.revive()?;
        }
        if self.recording.is_some() {
            self.keep_recording();
        }
        if self.has_news() {
            self.tell()?;
        }
        if self.recording.is_some() {
            self.begin_recorded();
        }
        Ok(sampled.then(Instant::now))
    }

    fn end<T>(&mut self, began: Option<Instant>, answer: Result<T, Failure>) -> Result<T, Fault> {
        if let Some(began) = began {
            self.time(began);
        }
        answer.map_err(|failure| self.failed(failure))
    }

    /// The decision was one of the sample.
    #[cold]
    fn time(&mut self, began: Instant) {
        let now = Instant::now();
        let took = now - began;
        self.counters().took(took);
        let ticker = self.binding.shared.ticker.ticker();
        let stands_for = self.untimed as u32 + 1;
        self.share
            .take(took.saturating_mul(stands_for), now, ticker);
    }

    /// The instance is dead, whatever it died of.
    #[cold]
    fn failed(&mut self, failure: Failure) -> Fault {
        self.instance = None;
        let fault = failure.fault;
        self.counters().faulted(fault);
        self.binding.faulted(failure);
        fault
    }

    /// No instance could be made, whatever it was to decide.
    #[cold]
    fn failed_to_begin(&self, failure: Failure) -> Fault {
        let fault = failure.fault;
        self.counters().faulted(fault);
        self.binding.failed_to_begin(failure);
        fault
    }

    fn vacant(&self) -> Fault {
        self.counters().faulted(Fault::Vacant);
        Fault::Vacant
    }

    fn status(&mut self, status: u16, lent: &mut Lent) -> Result<u16, Fault> {
        match status {
            200..=599 => Ok(status),
            _ => Err(self.impossible("status", status.into(), lent)),
        }
    }

    fn slot(&mut self, slot: Option<u32>, lent: &mut Lent) -> Result<Option<Slot>, Fault> {
        match slot {
            Some(slot) if self.instance.as_ref().is_some_and(|i| slot >= i.widest) => {
                Err(self.impossible("slot", slot, lent))
            }
            slot => Ok(slot.map(Slot)),
        }
    }

    /// The instance is sound, but what it says is nonsense.
    #[cold]
    fn impossible(&mut self, what: &str, number: u32, lent: &mut Lent) -> Fault {
        if let (Some(instance), Some(view)) = (&self.instance, lent) {
            instance.take_back(view.effects());
        }
        let fault = Fault::Impossible;
        self.counters().faulted(fault);
        let detail = format!("there is no {what} {number}");
        self.binding.faulted(Failure { fault, detail });
        fault
    }
}

/// A seat asks only what its role answers; this is for a caller's mistake.
#[cold]
fn misplaced() -> wasmtime::Error {
    wasmtime::Error::msg("the plugin does not have the role that it was asked in")
}

fn described(outcome: Outcome) -> types::Outcome {
    types::Outcome {
        slot: outcome.slot.0,
        ending: match outcome.ending {
            Ending::Completed => types::Ending::Completed,
            Ending::ConnectFailed => types::Ending::ConnectFailed,
            Ending::Broken => types::Ending::Broken,
            Ending::TimedOut => types::Ending::TimedOut,
            Ending::Abandoned => types::Ending::Abandoned,
        },
        status: outcome.status,
        first_byte_us: outcome.first_byte_us,
        duration_us: outcome.duration_us,
    }
}
