//! How many second attempts a worker may make in a pool.
//!
//! Connections have a budget of their own: each answer of a server pays for as
//! many as a request may need, and what is saved is enough for a server that dies
//! among others. What may have cost a server something has one that keeps a
//! failing pool from being asked ever more (as in Finagle's RetryBudget: a share
//! of the requests beside a small reserve by the second).

use std::cell::Cell;
use std::time::Duration;

use crate::config::Retries;

/// Retries that a worker may make each second however few its requests are, so
/// that a quiet pool retries at all.
const RESERVE_PER_SECOND: f64 = 10.0;

/// What may be saved up for connections: enough for the requests of a worker
/// that meet a dead server before the checks do.
const MOST_CONNECTS_SAVED: f64 = 1000.0;

/// What may be saved up: enough for the requests in flight on a server that is
/// killed, and too little for a storm.
const MOST_SAVED: f64 = 100.0;

/// Retries that are saved up and spent.
#[derive(Debug)]
struct Budget {
    most: f64,
    tokens: Cell<f64>,
    refilled: Cell<Duration>,
}

/// One worker's retries to one pool.
#[derive(Debug)]
pub struct RetryBudgets {
    /// For requests that may have cost a server something.
    repeats: Budget,
    /// For connections that could not be made.
    connects: Budget,
}

impl Default for RetryBudgets {
    fn default() -> Self {
        Self {
            repeats: Budget::holding(RESERVE_PER_SECOND, MOST_SAVED),
            connects: Budget::holding(MOST_CONNECTS_SAVED, MOST_CONNECTS_SAVED),
        }
    }
}

impl RetryBudgets {
    /// A request came.
    pub fn came(&self, retries: &Retries) {
        self.repeats.deposit(retries.budget);
    }

    /// A server answered: whatever one request may need is saved.
    pub fn answered(&self, retries: &Retries) {
        self.connects.deposit(f64::from(retries.attempts - 1));
    }

    /// Take out what a second attempt costs that may come to nothing; `now` is
    /// any time that never goes back.
    pub fn withdraw(&self, now: Duration) -> bool {
        self.repeats.withdraw(now)
    }

    /// Take out what another connection costs, where one could not be made.
    pub fn withdraw_connect(&self, now: Duration) -> bool {
        self.connects.withdraw(now)
    }
}

impl Budget {
    fn holding(tokens: f64, most: f64) -> Self {
        Self {
            most,
            tokens: Cell::new(tokens),
            refilled: Cell::new(Duration::ZERO),
        }
    }

    /// Save so many retries, or a share of one.
    fn deposit(&self, share: f64) {
        self.tokens.set((self.tokens.get() + share).min(self.most));
    }

    /// Take one retry out, if there is one.
    fn withdraw(&self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.refilled.replace(now));
        let reserve = passed.as_secs_f64() * RESERVE_PER_SECOND;
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_budget_allows_its_share_and_the_reserve() {
        let budget = Budget::holding(RESERVE_PER_SECOND, MOST_SAVED);
        (0..1000).for_each(|_| budget.deposit(0.05));
        let allowed = (0..1000).filter(|_| budget.withdraw(NOW)).count();
        // Ten in reserve and a twentieth of a thousand.
        assert!((59..=60).contains(&allowed), "{allowed}");
    }

    #[test]
    fn the_reserve_comes_back_by_the_second_and_no_further() {
        let budget = Budget::holding(RESERVE_PER_SECOND, MOST_SAVED);
        while budget.withdraw(NOW) {}
        let after =
            |seconds| (0..50).filter(move |_| budget.withdraw(Duration::from_secs(seconds)));
        let after_a_second = after(1).count();
        assert_eq!(after_a_second, 10);
    }

    #[test]
    fn an_hour_saves_no_more_than_a_second() {
        let budget = Budget::holding(0.0, MOST_SAVED);
        let hour = Duration::from_secs(3600);
        assert_eq!((0..50).filter(|_| budget.withdraw(hour)).count(), 10);
    }

    #[test]
    fn savings_are_bounded() {
        let budget = Budget::holding(RESERVE_PER_SECOND, MOST_SAVED);
        (0..100_000).for_each(|_| budget.deposit(1.0));
        let allowed = (0..1000).filter(|_| budget.withdraw(NOW)).count();
        assert_eq!(allowed, MOST_SAVED as usize);
    }

    #[test]
    fn connections_to_a_pool_where_nobody_answers_are_tried_once_a_request() {
        let budgets = RetryBudgets::default();
        let retries = Retries {
            attempts: 3,
            budget: 0.2,
            per_try_timeout: Duration::from_secs(1),
            statuses: Vec::new(),
        };
        let allowed = |requests: usize| {
            let all = (0..requests).map(|_| budgets.withdraw_connect(NOW));
            all.filter(|allowed| *allowed).count()
        };
        assert_eq!(allowed(5000), MOST_CONNECTS_SAVED as usize);
        // Half of the pool is back: each answer pays for what a request may need.
        (0..50).for_each(|_| budgets.answered(&retries));
        assert_eq!(allowed(5000), 100);
    }
}
