//! Whether a failed attempt may be followed by another.
//!
//! A connection that could not be made cost no server anything, nor did one on
//! which a server has said goodbye before the request: it is always followed by
//! the next server, up to the pool's number of attempts. A request that a server
//! refuses without a look at it had no effect either, but it may refuse because
//! there is too much to do already; and anything later may have had an effect,
//! so it is repeated only for idempotent methods. Both have a budget that keeps
//! a failing pool from being asked ever more (as in Finagle's RetryBudget: a
//! share of the requests beside a small reserve by the second). Nothing is
//! repeated whose body cannot be sent again.

use std::cell::Cell;

use gatewright_model::config::Retries;

use crate::deadlines::TICK;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::request_body::RequestBody;

/// Retries that a worker may make each second however few its requests are, so
/// that a quiet pool retries at all.
const RESERVE_PER_SECOND: f64 = 10.0;

/// What may be saved up: enough for the requests in flight on a server that is
/// killed, and too little for a storm.
const MOST_SAVED: f64 = 100.0;

/// One worker's retries to one pool.
pub(crate) struct Budget {
    tokens: Cell<f64>,
    refilled: Cell<u64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            tokens: Cell::new(RESERVE_PER_SECOND),
            refilled: Cell::new(0),
        }
    }
}

impl Budget {
    /// A request came: its share of a retry is saved.
    pub(crate) fn deposit(&self, share: f64) {
        self.tokens.set((self.tokens.get() + share).min(MOST_SAVED));
    }

    /// Take one retry out, if there is one; `now` in ticks of the coarse clock.
    fn withdraw(&self, now: u64) -> bool {
        let ticks = now.saturating_sub(self.refilled.replace(now));
        let reserve = ticks as f64 * TICK.as_secs_f64() * RESERVE_PER_SECOND;
        // The reserve alone never exceeds one second's worth.
        let tokens = self.tokens.get();
        let tokens = tokens.max((tokens + reserve).min(RESERVE_PER_SECOND));
        if tokens < 1.0 {
            self.tokens.set(tokens);
            return false;
        }
        self.tokens.set(tokens - 1.0);
        true
    }
}

/// Whether to try another server after `failure`.
pub(crate) fn is_allowed(
    failure: &Failure,
    retries: &Retries,
    budget: &Budget,
    facts: &Facts,
    body: &RequestBody,
    now: u64,
) -> bool {
    if facts.tried.len() as u32 >= retries.attempts {
        return false;
    }
    body.is_replayable()
        && match failure {
            Failure::Connect(_) | Failure::ConnectTimeout | Failure::Unprocessed(_) => true,
            Failure::Refused(_) => budget.withdraw(now),
            Failure::Broken(_) | Failure::Timeout => facts.is_idempotent() && budget.withdraw(now),
            Failure::CallerTimeout
            | Failure::ClientLeft
            | Failure::ClientStalled
            | Failure::BodyTooLarge
            | Failure::Unsendable => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_allows_its_share_and_the_reserve() {
        let budget = Budget::default();
        (0..1000).for_each(|_| budget.deposit(0.05));
        let allowed = (0..1000).filter(|_| budget.withdraw(0)).count();
        // Ten in reserve and a twentieth of a thousand.
        assert!((59..=60).contains(&allowed), "{allowed}");
    }

    #[test]
    fn the_reserve_comes_back_by_the_second_and_no_further() {
        let budget = Budget::default();
        while budget.withdraw(0) {}
        let second = (1.0 / TICK.as_secs_f64()) as u64;
        let after_a_second = (0..50).filter(|_| budget.withdraw(second)).count();
        assert_eq!(after_a_second, 10);
        let after_an_hour = (0..50).filter(|_| budget.withdraw(3600 * second)).count();
        assert_eq!(after_an_hour, 10);
    }

    #[test]
    fn savings_are_bounded() {
        let budget = Budget::default();
        (0..100_000).for_each(|_| budget.deposit(1.0));
        let allowed = (0..1000).filter(|_| budget.withdraw(0)).count();
        assert_eq!(allowed, MOST_SAVED as usize);
    }
}
