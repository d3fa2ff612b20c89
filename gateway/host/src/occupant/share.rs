//! A plugin's share of its worker's time, where its binding limits it.
//!
//! A purse fills with the share of the time that passes, and what the timed
//! decisions took is taken from it, each standing for those that were not timed.
//! When it is empty the plugin rests, on the coarse clock, until it would have
//! been filled again: so the clock is asked no more often than without a limit,
//! and a decision costs one comparison more.

use std::time::{Duration, Instant};

use crate::ticker::Ticker;

/// What may be saved up while little is asked: so much of the worker's time may
/// be taken at once, and a decision or two on cold caches empty no purse.
const PURSE: Duration = Duration::from_millis(50);

/// The longest rest. One timed decision may have been slow for reasons of the
/// machine, and stands for 64.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// One worker's account of one plugin.
#[derive(Debug)]
pub(super) struct Share {
    /// In percent; none for no limit.
    percent: Option<u8>,
    purse: Duration,
    filled: Instant,
    /// The coarse time at which it is asked again; 0 while it is not resting.
    resting_until_ms: u64,
}

impl Share {
    /// So many percent of the worker's time.
    pub(super) fn of(percent: Option<u8>) -> Self {
        Self {
            percent,
            purse: PURSE,
            filled: Instant::now(),
            resting_until_ms: 0,
        }
    }

    /// Whether it was to rest, maybe until a time that has come.
    pub(super) fn is_resting(&self) -> bool {
        self.resting_until_ms != 0
    }

    /// Whether it is not to be asked now.
    pub(super) fn is_used_up(&mut self, ticker: &Ticker) -> bool {
        self.is_resting() && self.is_resting_at(ticker.coarse_ms())
    }

    fn is_resting_at(&mut self, now_ms: u64) -> bool {
        let rests = now_ms < self.resting_until_ms;
        if !rests {
            self.resting_until_ms = 0;
        }
        rests
    }

    /// Decisions took so long, until now.
    pub(super) fn take(&mut self, took: Duration, now: Instant, ticker: &Ticker) {
        if let Some(percent) = self.percent
            && let Some(rest) = self.owe(percent, took, now)
        {
            let rest = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
            self.resting_until_ms = ticker.coarse_ms() + rest.max(1);
        }
    }

    /// Pay; how long to rest if the purse was not enough.
    fn owe(&mut self, percent: u8, took: Duration, now: Instant) -> Option<Duration> {
        let earned = now.saturating_duration_since(self.filled) * u32::from(percent) / 100;
        self.filled = now;
        let purse = PURSE.min(self.purse + earned);
        self.purse = purse.saturating_sub(took);
        let debt = took.saturating_sub(purse);
        // What is earned in the rest pays the debt.
        let rest = debt.saturating_mul(100) / u32::from(percent.max(1));
        let rest = rest.min(LONGEST_REST);
        self.filled = now + rest;
        (!rest.is_zero()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn over_time_no_more_than_the_share_is_taken() {
        let mut share = Share::of(Some(10));
        let mut now = share.filled;
        let (mut taken, mut passed) = (Duration::ZERO, Duration::ZERO);
        while passed < Duration::from_secs(100) {
            let took = 6 * MS;
            let rest = share.owe(10, took, now + took).unwrap_or_default();
            taken += took;
            passed += took + rest;
            now += took + rest;
        }
        let of_it = taken.as_secs_f64() / passed.as_secs_f64();
        assert!((0.099..0.102).contains(&of_it), "{of_it}");
    }

    #[test]
    fn who_stays_within_the_share_never_rests() {
        let mut share = Share::of(Some(10));
        let mut now = share.filled;
        for _ in 0..1000 {
            now += 100 * MS;
            assert_eq!(share.owe(10, 9 * MS, now), None);
        }
    }

    #[test]
    fn one_slow_decision_costs_no_more_than_the_longest_rest() {
        let mut share = Share::of(Some(1));
        let now = share.filled;
        let rest = share.owe(1, Duration::from_secs(10), now);
        assert_eq!(rest, Some(LONGEST_REST));
    }

    #[test]
    fn a_rest_ends() {
        let mut share = Share::of(Some(50));
        share.resting_until_ms = 7;
        assert!(share.is_resting_at(6));
        assert!(!share.is_resting_at(7));
        assert_eq!(share.resting_until_ms, 0);
    }
}
