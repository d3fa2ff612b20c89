//! A version that is asked too and never obeyed: its answers are compared with
//! those that count.
//!
//! It is asked about a copy of the exchange, after the decision, when the
//! worker has sent what was decided on. What it asks to be done is thrown away
//! with the copy.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::succession::OccupantUpdate;
use crate::fault::Fault;
use crate::occupant::Occupant;
use crate::view::{Answer, Edit, Effects, Lent};

/// Decisions that may wait for the shadow; more are not compared.
const WAITING: usize = 64;

/// The share of a worker's time that a shadow may take: one in so many.
const SHARE: u32 = 20;

/// What a shadow may have saved up.
const PURSE: Duration = Duration::from_millis(20);

/// A shadow and what waits for it.
pub(super) struct Shadow {
    pub(super) occupant: Occupant,
    sample: u8,
    waiting: VecDeque<Case>,
    purse: Duration,
    filled: Instant,
}

/// What a shadow is to be after a change.
pub(crate) struct ShadowUpdate {
    pub(crate) occupant: OccupantUpdate,
    /// The share of decisions that it is asked for too, in percent.
    pub(crate) sample: u8,
}

/// What is asked of a seat.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    Check,
    Route,
    Lookup,
    /// Not asked of a shadow: it would be told of what it did not decide.
    Bind,
    Pick(u64),
    Finish(u16),
}

/// A decision that was made, for the shadow to make again.
struct Case {
    question: Question,
    lent: Lent,
    answer: Answer,
    edits: Vec<Edit>,
}

impl Shadow {
    pub(super) fn new(mut occupant: Occupant, sample: u8) -> Self {
        occupant.time_every_decision();
        Self {
            occupant,
            sample,
            waiting: VecDeque::new(),
            purse: PURSE,
            filled: Instant::now(),
        }
    }

    /// Take on what waits for the shadow that was here before.
    pub(super) fn with_sample(mut self, sample: u8) -> Self {
        // It may have a new instance.
        self.occupant.time_every_decision();
        Self { sample, ..self }
    }

    /// Keep a decision for the shadow, if it is in the sample: the answer, and
    /// how many edits there were before it.
    pub(super) fn consider(
        &mut self,
        question: Question,
        lent: &mut Lent,
        (answer, edits): (Answer, usize),
    ) {
        if matches!(question, Question::Bind) || fastrand::u8(..100) >= self.sample {
            return;
        }
        let Some(view) = lent else {
            return;
        };
        if self.waiting.len() == WAITING {
            self.skip();
            return;
        }
        let edits = view
            .effects()
            .edits
            .get(edits..)
            .unwrap_or_default()
            .to_vec();
        let mut copy = view.copy();
        *copy.effects() = Effects::default();
        self.waiting.push_back(Case {
            question,
            lent: Some(copy),
            answer,
            edits,
        });
    }

    /// Ask what waits to be asked, within the shadow's share of the time.
    pub(super) fn run(&mut self) {
        while let Some(case) = self.waiting.pop_front() {
            let began = Instant::now();
            let earned = (began - self.filled) / SHARE;
            self.filled = began;
            self.purse = PURSE.min(self.purse + earned);
            if self.purse.is_zero() {
                self.skip();
                continue;
            }
            self.compare(case);
            self.purse = self.purse.saturating_sub(began.elapsed());
        }
    }

    fn compare(&mut self, mut case: Case) {
        let answer = self.ask(case.question, &mut case.lent);
        let Ok(answer) = answer else {
            return;
        };
        let effects = case
            .lent
            .as_mut()
            .map(|view| std::mem::take(view.effects()));
        let edits = effects.unwrap_or_default().edits;
        let agrees = answer == case.answer && edits[..] == case.edits[..];
        let binding = self.occupant.binding();
        let worker = self.occupant.worker();
        binding.compared(worker, (case.answer, answer), agrees);
    }

    fn ask(&mut self, question: Question, lent: &mut Lent) -> Result<Answer, Fault> {
        let occupant = &mut self.occupant;
        match question {
            Question::Check => occupant.check(lent).map(Into::into),
            Question::Route => occupant.route(lent).map(Into::into),
            Question::Lookup => occupant.lookup(lent).map(Into::into),
            Question::Bind => Ok(().into()),
            Question::Pick(key) => occupant.pick(key, lent).map(Into::into),
            Question::Finish(status) => occupant.finish(status, lent).map(Into::into),
        }
    }

    fn skip(&self) {
        self.occupant.binding().counters()[self.occupant.worker()]
            .skipped
            .add(1);
    }
}
