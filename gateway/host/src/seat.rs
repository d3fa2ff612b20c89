//! One worker's place in the chain: the version that decides there, a canary
//! that decides for a share of the requests in its stead, and a shadow that is
//! asked too and never obeyed.
//!
//! Whether a request is the canary's is settled once for all seats, by a number
//! that the host draws for it. Where the canary has no answer, the version that
//! it stands beside gives one, in the same request, and the request is no
//! canary's from then on: who decided is who hears how it ended.

mod canary;
mod shadow;
mod succession;

use std::sync::Arc;
use std::time::Instant;

use gatewright_model::id::Slot;

use crate::binding::Binding;
use crate::fault::Fault;
use crate::occupant::Occupant;
use crate::recording::Recording;
use crate::trace::Step;
use crate::view::{Answer, Lent, Outcome, Route, Verdict};

use canary::Canary;
pub(crate) use canary::CanaryUpdate;
pub(crate) use shadow::ShadowUpdate;
use shadow::{Question, Shadow};
pub(crate) use succession::SeatUpdate;

/// One worker's place in the chain.
pub struct Seat {
    active: Occupant,
    canary: Option<Canary>,
    shadow: Option<Box<Shadow>>,
    /// Whether the last answer was the canary's.
    was_canary: bool,
}

impl Seat {
    /// The version that decides, and the seat that it is in.
    pub fn binding(&self) -> &Arc<Binding> {
        self.active.binding()
    }

    /// The version that gave the last answer.
    pub fn decided(&self) -> &Binding {
        match &self.canary {
            Some(canary) if self.was_canary => canary.occupant.binding(),
            _ => self.active.binding(),
        }
    }

    /// Bytes of linear memory that the instance which decides has taken; none
    /// while there is none.
    pub fn memory_used(&self) -> Option<usize> {
        self.active.memory_used()
    }

    /// Ask a request policy whether a request may go on.
    ///
    /// # Errors
    ///
    /// As for every decision: the cause why there is no answer.
    pub fn check(&mut self, lent: &mut Lent) -> Result<Verdict, Fault> {
        self.decide(Question::Check, lent, Occupant::check)
    }

    /// Ask the router where a request goes.
    ///
    /// # Errors
    ///
    /// The cause why there is no answer.
    pub fn route(&mut self, lent: &mut Lent) -> Result<Route, Fault> {
        self.decide(Question::Route, lent, Occupant::route)
    }

    /// Ask an affinity which endpoint has the client's session.
    ///
    /// # Errors
    ///
    /// The cause why there is no answer.
    pub fn lookup(&mut self, lent: &mut Lent) -> Result<Option<Slot>, Fault> {
        self.decide(Question::Lookup, lent, Occupant::lookup)
    }

    /// Tell an affinity which endpoint answered.
    ///
    /// # Errors
    ///
    /// The cause why it was not told.
    pub fn bind(&mut self, answered: Slot, lent: &mut Lent) -> Result<(), Fault> {
        let bind = |occupant: &mut Occupant, lent: &mut Lent| occupant.bind(answered, lent);
        self.decide(Question::Bind, lent, bind)
    }

    /// Ask a balancer for an endpoint; none when it has no opinion. The slot
    /// has been an endpoint's, but may not be usable any more.
    ///
    /// # Errors
    ///
    /// The cause why there is no answer.
    pub fn pick(&mut self, key: u64, lent: &mut Lent) -> Result<Option<Slot>, Fault> {
        let pick = |occupant: &mut Occupant, lent: &mut Lent| occupant.pick(key, lent);
        self.decide(Question::Pick(key), lent, pick)
    }

    /// Let a response policy edit the head of a response.
    ///
    /// # Errors
    ///
    /// The cause why it did not.
    pub fn finish(&mut self, status: u16, lent: &mut Lent) -> Result<(), Fault> {
        let finish = |occupant: &mut Occupant, lent: &mut Lent| occupant.finish(status, lent);
        self.decide(Question::Finish(status), lent, finish)
    }

    /// Whether a plugin here wants to hear how attempts ended.
    pub fn observes(&self) -> bool {
        let canary = self.canary.as_ref().map(|canary| &canary.occupant);
        let shadow = self.shadow.as_ref().map(|shadow| &shadow.occupant);
        let mut occupants = [Some(&self.active), canary, shadow].into_iter().flatten();
        occupants.any(Occupant::observes)
    }

    /// Keep an outcome until whoever decided is told, before a later decision.
    pub fn observe(&mut self, outcome: Outcome) {
        if let Some(shadow) = &mut self.shadow {
            shadow.occupant.observe(outcome);
        }
        match &mut self.canary {
            Some(canary) if outcome.lot.is_some_and(|lot| canary.has(lot)) => {
                canary.occupant.observe(outcome);
            }
            _ => self.active.observe(outcome),
        }
    }

    /// The last answer could not be used.
    pub fn overruled(&mut self) {
        match &mut self.canary {
            Some(canary) if self.was_canary => canary.occupant.overruled(),
            _ => self.active.overruled(),
        }
    }

    /// Record what the version that decides is handed and answers, if it is the one
    /// whose decisions are to be recorded.
    pub fn record(&mut self, recording: &Arc<Recording>) {
        self.active.record(recording);
    }

    /// Whether a shadow is asked here.
    pub(crate) fn is_shadowed(&self) -> bool {
        self.shadow.is_some()
    }

    /// Ask the shadow what it was kept from being asked while a request waited.
    pub(crate) fn run_shadow(&mut self) {
        if let Some(shadow) = &mut self.shadow {
            shadow.run();
        }
    }

    fn decide<T: Copy + Into<Answer>>(
        &mut self,
        question: Question,
        lent: &mut Lent,
        mut ask: impl FnMut(&mut Occupant, &mut Lent) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.canary.is_none() && self.shadow.is_none() && !is_traced(lent) {
            return ask(&mut self.active, lent);
        }
        self.was_canary = false;
        let edits = lent.as_mut().map_or(0, |view| view.effects().edits.len());
        let answer = self.decide_watched(lent, &mut ask);
        if let Some(shadow) = &mut self.shadow
            && let Ok(answer) = answer
        {
            shadow.consider(question, lent, (answer.into(), edits));
        }
        answer
    }

    /// Ask the canary if the request is its, and whoever decides otherwise.
    fn decide_watched<T: Copy + Into<Answer>>(
        &mut self,
        lent: &mut Lent,
        ask: &mut impl FnMut(&mut Occupant, &mut Lent) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if let Some(canary) = &mut self.canary
            && canary.is_asked(lent)
        {
            if let Ok(answer) = watched(&mut canary.occupant, lent, ask) {
                self.was_canary = true;
                return Ok(answer);
            }
            if let Some(view) = lent {
                view.effects().is_given_up = true;
            }
        }
        watched(&mut self.active, lent, ask)
    }
}

/// Ask, and add a step to the exchange's trace if it has one.
fn watched<T: Copy + Into<Answer>>(
    occupant: &mut Occupant,
    lent: &mut Lent,
    ask: &mut impl FnMut(&mut Occupant, &mut Lent) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if !is_traced(lent) {
        return ask(occupant, lent);
    }
    let candidates = occupant.candidates(lent);
    let began = Instant::now();
    let answer = ask(occupant, lent);
    let duration = began.elapsed();
    if let Some(view) = lent {
        let effects = view.effects();
        let reason = effects.reason.take();
        if let Some(trace) = &mut effects.trace {
            trace.steps.push(Step {
                place: occupant.binding().place().clone(),
                version: occupant.binding().version(),
                began,
                duration,
                chosen: answer
                    .ok()
                    .and_then(|answer| occupant.name_of(answer.into())),
                answer: answer.map(Into::into),
                candidates,
                reason,
            });
        }
    }
    answer
}

fn is_traced(lent: &mut Lent) -> bool {
    lent.as_mut()
        .is_some_and(|view| view.effects().trace.is_some())
}
