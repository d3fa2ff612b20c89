//! An endpoint's circuit: whether requests go to it, by how requests have ended.
//!
//! One mechanism is circuit breaker (M. Nygard, "Release It!", 2007) and passive
//! ejection of outliers (as in Envoy) at once. A circuit is *closed* while all is
//! well. Failures in a row *open* it, and the endpoint gets no request for a
//! while, which is longer with each opening in a row. Then it is *half-open*: one
//! request at a time is let through on trial. If it succeeds, the circuit closes;
//! if it fails, the circuit opens again; if it says nothing of the server, the
//! next one is tried. A request that would go without an answer, since all other
//! servers have failed it, is let through in any phase: that spares nobody
//! anything, and its success closes the circuit.
//!
//! All workers share a circuit, without a lock. Which phase it is in, which of its
//! openings this is, and whether a trial is under way are one number, so that
//! whoever changes it has seen all of it: a permit of an earlier opening can do
//! nothing to a later one. A success costs one load; it writes only where it ends
//! a streak of failures. Time comes in as an argument, and only with failures:
//! when a circuit goes from open to half-open is for the control plane's prober
//! to say, which waits for it.

mod moment;
mod permit;
mod places;
mod word;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use self::word::Word;
use crate::config::Breaker;
use crate::pool::PoolState;

pub use self::moment::Moment;
pub use self::permit::Permit;
pub use self::places::Circuits;

/// Whether requests go to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// They do.
    Closed,
    /// They do not.
    Open,
    /// One at a time does, on trial.
    HalfOpen,
}

impl Phase {
    /// The word that the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// How a request failed that an endpoint was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// There was no usable answer.
    Failure,
    /// It was answered with an error of the server's own.
    Error,
}

/// Why a circuit opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// So many requests in a row had no usable answer.
    Failures(u32),
    /// So many requests in a row had none, or an error.
    Errors(u32),
    /// The request on trial failed.
    Trial,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failures(count) => write!(f, "{count} requests in a row got no usable answer"),
            Self::Errors(count) => write!(f, "{count} requests in a row failed or got an error"),
            Self::Trial => f.write_str("the request on trial failed"),
        }
    }
}

/// What an outcome has done to a circuit: the prober is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has opened.
    Opened {
        /// Which of its openings this is.
        opening: u64,
        /// For how long.
        time: Duration,
        /// Why.
        cause: Cause,
    },
    /// It has closed: a request that was let through succeeded.
    Closed,
}

/// An endpoint's circuit.
#[derive(Debug)]
pub struct Circuit {
    pool: Arc<PoolState>,
    /// A [`Word`].
    word: AtomicU64,
    /// Failures in a row below, failures and errors in a row above.
    streaks: AtomicU64,
    /// How many openings in a row count for the next one's time. Whoever opens it
    /// writes it, as those below.
    in_a_row: AtomicU32,
    /// When it last opened, in milliseconds since 1970; 0 for never.
    opened_at: AtomicU64,
    /// The same by the steady clock, and until when.
    open_since: AtomicU64,
    open_until: AtomicU64,
    /// When it last closed, by the steady clock; 0 for never.
    closed_at: AtomicU64,
}

const FAILURE: u64 = 1;
const ERROR: u64 = 1 << 32;

impl Circuit {
    /// A closed circuit of a member of this pool.
    pub(crate) fn new(pool: &Arc<PoolState>) -> Self {
        Self {
            pool: Arc::clone(pool),
            word: AtomicU64::new(Word::CLOSED),
            streaks: AtomicU64::new(0),
            in_a_row: AtomicU32::new(0),
            opened_at: AtomicU64::new(0),
            open_since: AtomicU64::new(0),
            open_until: AtomicU64::new(0),
            closed_at: AtomicU64::new(0),
        }
    }

    /// Whether requests go to the endpoint.
    pub fn phase(&self) -> Phase {
        match self.word().phase() {
            Word::CLOSED => Phase::Closed,
            Word::OPEN => Phase::Open,
            _ => Phase::HalfOpen,
        }
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.word().phase() == Word::CLOSED
    }

    /// How often it has opened.
    pub fn openings(&self) -> u64 {
        self.word().opening()
    }

    /// Since when it is not closed, in milliseconds since 1970.
    pub fn opened_at(&self) -> Option<u64> {
        let at = self.opened_at.load(Ordering::Relaxed);
        (!self.is_closed()).then_some(at)
    }

    /// The same by the steady clock.
    pub fn open_since(&self) -> Option<u64> {
        let since = self.open_since.load(Ordering::Relaxed);
        (!self.is_closed()).then_some(since)
    }

    /// How much longer it stays open at a moment of the steady clock; none where it
    /// is closed or half-open.
    pub fn time_left(&self, steady_ms: u64) -> Option<Duration> {
        let until = self.open_until.load(Ordering::Relaxed);
        let left = Duration::from_millis(until.saturating_sub(steady_ms));
        (self.phase() == Phase::Open).then_some(left)
    }

    /// A request without a permit has succeeded.
    pub fn succeeded(&self) {
        if self.streaks.load(Ordering::Relaxed) != 0 {
            self.streaks.store(0, Ordering::Relaxed);
        }
    }

    /// A request without a permit has failed, at this moment. None where that opens
    /// nothing: too few have failed in a row, or too many of the pool's circuits are
    /// open.
    pub fn failed(&self, blow: Blow, breaker: &Breaker, at: Moment) -> Option<Turn> {
        if !self.is_closed() {
            // It was under way when the circuit opened.
            return None;
        }
        let (failures, errors) = self.lengthen(blow);
        let cause = match (failures, errors) {
            (count, _) if count >= breaker.fail_threshold => Cause::Failures(count),
            (_, count) if count >= breaker.error_threshold => Cause::Errors(count),
            _ => return None,
        };
        if !self.pool.circuits.take() {
            return None;
        }
        let opened = self.turn(|word| {
            let next = Word::new(word.opening() + 1, Word::OPEN);
            (word.phase() == Word::CLOSED).then_some(next)
        });
        let Some(word) = opened else {
            self.pool.circuits.give_back();
            return None;
        };
        let rested = match self.closed_at.load(Ordering::Relaxed) {
            0 => u64::MAX,
            closed_at => at.steady_ms.saturating_sub(closed_at),
        };
        Some(self.opened(word, breaker, (at, rested), cause))
    }

    /// Let a request through on trial, if it may; one that may be repeated if it
    /// fails comes first.
    pub(crate) fn admit(&self, may_repeat: bool) -> Option<u64> {
        let word = self.turn(|word| {
            let next = word.with_phase(Word::TRYING);
            word.takes(may_repeat).then_some(next)
        })?;
        self.pool.circuits.waits_no_more();
        Some(word.opening())
    }

    /// The time of an opening is over: whether it was still open. From now on
    /// requests are let through on trial.
    pub fn half_open(&self, opening: u64) -> bool {
        let circuits = &self.pool.circuits;
        // Counted before, so that there are never more than are counted.
        circuits.waits();
        let turned = self.turn(|word| {
            let next = word.with_phase(Word::WAITING);
            (word == Word::new(opening, Word::OPEN)).then_some(next)
        });
        if turned.is_none() {
            circuits.waits_no_more();
        }
        turned.is_some()
    }

    /// Nobody came that may be repeated: let any request through on trial.
    pub fn widen(&self, opening: u64) {
        self.turn(|word| {
            let is_half_open = word.phase() & Word::WAITING != 0;
            let next = Word(word.0 | Word::ANY);
            (is_half_open && word.opening() == opening).then_some(next)
        });
    }

    /// Close it, whatever its phase; whether that is a change.
    pub fn close(&self) -> bool {
        self.close_if(|_| true, 0)
    }

    /// Close it if it is not closed and `is_so`, at this time of the steady clock, or
    /// at one that does not count; whether that is a change.
    fn close_if(&self, is_so: impl Fn(Word) -> bool, at: u64) -> bool {
        let before = self.turn_from(|word| {
            let next = Word::new(word.opening(), Word::CLOSED);
            (word.phase() != Word::CLOSED && is_so(word)).then_some(next)
        });
        let Some(before) = before else { return false };
        if before.phase() == Word::WAITING {
            self.pool.circuits.waits_no_more();
        }
        self.closed(at);
        true
    }

    /// Which of its openings it is in; none where it is closed.
    fn opening(&self) -> Option<u64> {
        let word = self.word();
        (word.phase() != Word::CLOSED).then(|| word.opening())
    }

    fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// One failure more in a row: how many failures there are, and how many of
    /// both kinds. An error is an answer, so it ends a streak of failures.
    fn lengthen(&self, blow: Blow) -> (u32, u32) {
        let longer = |streaks: u64| match blow {
            Blow::Failure => streaks.wrapping_add(FAILURE + ERROR),
            Blow::Error => (streaks >> 32 << 32).wrapping_add(ERROR),
        };
        let mut now = self.streaks.load(Ordering::Relaxed);
        loop {
            let (next, order) = (longer(now), Ordering::Relaxed);
            match self.streaks.compare_exchange_weak(now, next, order, order) {
                Ok(_) => return (next as u32, (next >> 32) as u32),
                Err(other) => now = other,
            }
        }
    }

    /// Change the word if it is as it should be; what it is now.
    fn turn(&self, next: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        self.turn_from(&next).and_then(next)
    }

    /// Change the word if it is as it should be; what it was before.
    fn turn_from(&self, next: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        let next = |word| next(Word(word)).map(|word| word.0);
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        self.word.fetch_update(set, fetch, next).ok().map(Word)
    }

    /// It has opened at a moment, after a rest in which it was closed.
    fn opened(
        &self,
        word: Word,
        breaker: &Breaker,
        (at, rested): (Moment, u64),
        cause: Cause,
    ) -> Turn {
        let before = self.in_a_row.load(Ordering::Relaxed);
        // For each time that it has stayed closed as long as it was open before,
        // one opening is forgiven.
        let open = breaker.open_time(before.max(1)).as_millis() as u64;
        let forgiven = u32::try_from(rested / open.max(1)).unwrap_or(u32::MAX);
        let in_a_row = before.saturating_sub(forgiven).saturating_add(1);
        self.in_a_row.store(in_a_row, Ordering::Relaxed);
        let time = breaker.open_time(in_a_row);
        let until = at.steady_ms.saturating_add(time.as_millis() as u64);
        self.opened_at.store(at.wall_ms, Ordering::Relaxed);
        self.open_since.store(at.steady_ms, Ordering::Relaxed);
        self.open_until.store(until, Ordering::Relaxed);
        self.streaks.store(0, Ordering::Relaxed);
        self.pool.eligibility_changed();
        Turn::Opened {
            opening: word.opening(),
            time,
            cause,
        }
    }

    /// It has closed at a time of the steady clock; 0 for one that does not count.
    fn closed(&self, at: u64) {
        self.closed_at.store(at, Ordering::Relaxed);
        self.streaks.store(0, Ordering::Relaxed);
        self.pool.circuits.give_back();
        self.pool.eligibility_changed();
    }

    fn trial_succeeded(&self, opening: u64, at: Moment) -> Option<Turn> {
        self.turn(|word| word.after_trial(opening, Word::new(opening, Word::CLOSED)))?;
        self.closed(at.steady_ms);
        Some(Turn::Closed)
    }

    fn trial_failed(&self, opening: u64, breaker: &Breaker, at: Moment) -> Option<Turn> {
        let next = Word::new(opening + 1, Word::OPEN);
        let word = self.turn(|word| word.after_trial(opening, next))?;
        Some(self.opened(word, breaker, (at, 0), Cause::Trial))
    }

    /// A request has succeeded that was let through, since this opening, for want
    /// of others.
    fn resort_succeeded(&self, opening: u64, at: Moment) -> Option<Turn> {
        let closed = self.close_if(|word| word.opening() == opening, at.steady_ms);
        closed.then_some(Turn::Closed)
    }

    fn trial_given_up(&self, opening: u64) {
        let circuits = &self.pool.circuits;
        circuits.waits();
        let back = self.turn(|word| word.after_trial(opening, word.with_phase(Word::WAITING)));
        if back.is_none() {
            circuits.waits_no_more();
        }
    }
}

impl Drop for Circuit {
    fn drop(&mut self) {
        // A member that leaves gives its place back.
        self.close();
    }
}

#[cfg(test)]
mod tests;
