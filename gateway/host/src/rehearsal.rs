//! A recording played to a candidate: the same calls with the same answers, on a
//! clock that the lines set. Nothing else of a gateway is there.
//!
//! Each recorded worker has an instance of its own. An instance that fails is
//! followed by a fresh one, which is told the members as they are; what its
//! predecessor knew is lost, as it is in a gateway.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gatewright_model::id::Slot;
use gatewright_model::role::Role;
use gatewright_model::snapshot::Snapshot;

use crate::admission::Refusal;
use crate::binding::Binding;
use crate::contract::imports::types;
use crate::fault::Fault;
use crate::instance::{Assignment, Budget, Failure, Instance};
use crate::plan::Plan;
use crate::recording::{Asked, Call, Heard, Line, Member, Pick, Prompter, Tape};
use crate::simulated::Simulated;
use crate::version::Calls;
use crate::view::{Effects, ExchangeView, Lent};

/// What came of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Played {
    /// The candidate heard of it.
    Told,
    /// The candidate decided: a slot, or no opinion.
    Decided(Option<Slot>),
    /// The candidate failed.
    Failed(Fault, String),
}

/// A candidate to whom a recording is played.
pub struct Rehearsal {
    binding: Arc<Binding>,
    snapshot: Arc<Snapshot>,
    clock: Arc<Simulated>,
    seats: HashMap<usize, Seat>,
}

/// One recorded worker's instance.
#[derive(Default)]
struct Seat {
    instance: Option<Instance>,
    /// What is asked when it is configured.
    configured: Vec<Asked>,
    members: Vec<Member>,
    eligible: Vec<u32>,
    /// One more than the highest slot that it ever heard of.
    widest: u32,
    /// What instances that are gone asked for in vain.
    unknown: BTreeMap<String, u64>,
}

impl Rehearsal {
    /// A rehearsal of the balancer of the snapshot's first pool, on a host of this
    /// clock; none where the plan has no balancer.
    pub fn new(plan: &Plan, snapshot: &Arc<Snapshot>, clock: &Arc<Simulated>) -> Option<Self> {
        let mut bindings = plan.bindings().iter();
        let binding = bindings.find(|binding| binding.role() == Role::Balancer)?;
        Some(Self {
            binding: Arc::clone(binding),
            snapshot: Arc::clone(snapshot),
            clock: Arc::clone(clock),
            seats: HashMap::new(),
        })
    }

    /// The candidate.
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// What the candidate asked for that the recording does not have, and how
    /// often.
    pub fn unknown(&mut self) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for seat in self.seats.values_mut() {
            seat.dismiss();
            for (function, count) in &seat.unknown {
                *sum.entry(function.clone()).or_default() += count;
            }
        }
        sum
    }

    /// Play the next line.
    ///
    /// # Errors
    ///
    /// When the candidate cannot be started or refuses its configuration.
    pub fn play(&mut self, line: &Line) -> Result<Played, Refusal> {
        self.clock.advance(line.at_ns);
        let seat = self.seats.entry(line.worker).or_default();
        seat.remember(line);
        if let Call::Configure = line.call {
            seat.dismiss();
        }
        if seat.instance.is_none() {
            let assignment = Assignment {
                binding: Arc::clone(&self.binding),
                worker: 0,
                snapshot: Arc::clone(&self.snapshot),
                pool: None,
                recording: None,
            };
            let played = seat.start(&assignment, &line.call)?;
            if let Played::Failed(..) = played {
                return Ok(played);
            }
        }
        let budget = Budget::of_decision(self.binding.terms.deadline);
        self.binding.shared.ticker.begin(budget.ticks());
        let played = seat.hear(line, budget);
        Ok(played.unwrap_or_else(|failure| {
            seat.dismiss();
            Played::Failed(failure.fault, failure.detail)
        }))
    }
}

impl Seat {
    /// Keep what a later instance has to know.
    fn remember(&mut self, line: &Line) {
        match &line.call {
            Call::Configure => self.configured.clone_from(&line.asked),
            Call::Update { endpoints } => {
                self.members.clone_from(endpoints);
                let widest = endpoints.iter().map(|member| member.slot.saturating_add(1));
                self.widest = widest.fold(self.widest, u32::max);
            }
            Call::Eligible { slots } => self.eligible.clone_from(slots),
            Call::Restore { .. } | Call::Observe { .. } | Call::Pick(_) => {}
        }
    }

    /// Let the instance go, but not what it asked for in vain.
    fn dismiss(&mut self) {
        let instance = self.instance.take();
        if let Some(prompter) =
            instance.and_then(|mut one| Some(std::mem::take(one.tape()?.prompter()?)))
        {
            for (function, count) in prompter.unknown {
                *self.unknown.entry(function).or_default() += count;
            }
        }
    }

    /// A new instance; one that comes in the middle is told what it missed.
    fn start(&mut self, to: &Assignment, call: &Call) -> Result<Played, Refusal> {
        let mut prompter = Prompter::default();
        prompter.turn_to(&self.configured, None);
        prompter.members.clone_from(&self.members);
        let tape = Some(Box::new(Tape::Prompter(prompter)));
        let mut instance = Instance::configured(to, tape, Budget::PREPARATION)?;
        // After these two it is told the members anyway.
        if !matches!(call, Call::Configure | Call::Update { .. }) {
            let told = self.catch_up(&mut instance);
            if let Err(failure) = told {
                return Ok(Played::Failed(failure.fault, failure.detail));
            }
        }
        self.instance = Some(instance);
        Ok(Played::Told)
    }

    fn catch_up(&self, instance: &mut Instance) -> Result<(), Failure> {
        let endpoints: Vec<_> = self.members.iter().map(types::Endpoint::from).collect();
        instance.tell_members(&endpoints, Budget::PREPARATION)?;
        instance.tell_eligible(&self.eligible, Budget::PREPARATION)
    }

    fn hear(&mut self, line: &Line, budget: Budget) -> Result<Played, Failure> {
        let Some(instance) = &mut self.instance else {
            return Ok(Played::Told);
        };
        if let Some(prompter) = instance.tape().and_then(Tape::prompter) {
            let pick = match &line.call {
                Call::Pick(pick) => Some(pick),
                _ => None,
            };
            prompter.turn_to(&line.asked, pick);
            prompter.members.clone_from(&self.members);
        }
        let preparation = Budget::PREPARATION;
        match &line.call {
            Call::Configure => {}
            Call::Update { endpoints } => {
                let endpoints: Vec<_> = endpoints.iter().map(types::Endpoint::from).collect();
                instance.tell_members(&endpoints, preparation)?;
            }
            Call::Eligible { slots } => instance.tell_eligible(slots, preparation)?,
            Call::Restore { schema, state } => instance.restore((*schema, state), preparation)?,
            Call::Observe { outcomes } => {
                let outcomes: Vec<_> = outcomes.iter().map(|one: &Heard| one.into()).collect();
                instance.observe(&outcomes, budget)?;
            }
            Call::Pick(pick) => return self.decide(pick, budget),
        }
        Ok(Played::Told)
    }

    fn decide(&mut self, pick: &Pick, budget: Budget) -> Result<Played, Failure> {
        let Some(instance) = &mut self.instance else {
            return Ok(Played::Told);
        };
        let mut lent: Lent = Some(Box::new(Recalled {
            attempt: pick.attempt,
            tried: pick.tried.iter().copied().map(Slot).collect(),
            effects: Effects::default(),
        }));
        let answer = instance.decide(budget, &mut lent, |calls, store| match calls {
            Calls::Balancing(role) => role.call_pick(store, pick.key),
            Calls::Scanning(role) => role.call_pick(store, pick.key, &pick.load),
            _ => Ok(None),
        })?;
        match answer {
            Some(slot) if slot >= self.widest => Ok(Played::Failed(
                Fault::Impossible,
                format!("there is no slot {slot}"),
            )),
            answer => Ok(Played::Decided(answer.map(Slot))),
        }
    }
}

/// A request as far as every line of a decision shows it. The rest is on the tape,
/// and what was not asked for when it was recorded is that of a plain request.
#[derive(Clone)]
struct Recalled {
    attempt: u32,
    tried: Vec<Slot>,
    effects: Effects,
}

impl ExchangeView for Recalled {
    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn tried(&self) -> &[Slot] {
        &self.tried
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(self.clone())
    }
}
