//! Whether a failed attempt may be followed by another.
//!
//! A connection that could not be made cost no server anything, nor did one on
//! which a server has said goodbye before the request: it is followed by the
//! next server, up to the pool's number of attempts, for as long as the pool is
//! not failing as a whole. Each answer of a server pays for as many as a request
//! may need, and what is saved is enough for a server that dies among others;
//! where nobody answers any more, connections are not tried in vain several
//! times for each request. A request that a server
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

/// What may be saved up for connections: enough for the requests of a worker
/// that meet a dead server before the checks do.
const MOST_CONNECTS_SAVED: f64 = 1000.0;

/// What may be saved up: enough for the requests in flight on a server that is
/// killed, and too little for a storm.
const MOST_SAVED: f64 = 100.0;

/// Retries that are saved up and spent.
struct Budget {
    most: f64,
    tokens: Cell<f64>,
    refilled: Cell<u64>,
}

/// One worker's retries to one pool.
pub(crate) struct Budgets {
    /// For requests that may have cost a server something.
    repeats: Budget,
    /// For connections that could not be made.
    connects: Budget,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            repeats: Budget::holding(RESERVE_PER_SECOND, MOST_SAVED),
            connects: Budget::holding(MOST_CONNECTS_SAVED, MOST_CONNECTS_SAVED),
        }
    }
}

impl Budgets {
    /// A request came.
    pub(crate) fn came(&self, retries: &Retries) {
        self.repeats.deposit(retries.budget);
    }

    /// A server answered: whatever one request may need is saved.
    pub(crate) fn answered(&self, retries: &Retries) {
        self.connects.deposit(f64::from(retries.attempts - 1));
    }

    /// Take out what a connection to another server costs, after one that could not
    /// be made.
    pub(crate) fn withdraw_connect(&self, now: u64) -> bool {
        self.connects.withdraw(now)
    }

    /// Take out what a second attempt costs that may come to nothing; `now` in
    /// ticks of the coarse clock.
    pub(crate) fn withdraw(&self, now: u64) -> bool {
        self.repeats.withdraw(now)
    }
}

impl Budget {
    fn holding(tokens: f64, most: f64) -> Self {
        Self {
            most,
            tokens: Cell::new(tokens),
            refilled: Cell::new(0),
        }
    }

    /// Save so many retries, or a share of one.
    fn deposit(&self, share: f64) {
        self.tokens.set((self.tokens.get() + share).min(self.most));
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

/// What an attempt came to that may be followed by another.
#[derive(Clone, Copy)]
pub(crate) enum Cause<'a> {
    /// No response.
    Failure(&'a Failure),
    /// A response to an idempotent request whose status is one of those after
    /// which another server is asked.
    Status,
}

/// Whether to try another server after `cause`.
pub(crate) fn is_allowed(
    cause: Cause<'_>,
    retries: &Retries,
    budgets: &Budgets,
    facts: &Facts,
    body: &RequestBody,
    now: u64,
) -> bool {
    if facts.tried.len() as u32 >= retries.attempts.min(facts.most_attempts) {
        return false;
    }
    let repeat = || budgets.withdraw(now);
    let failure = match cause {
        Cause::Status => return body.is_replayable() && repeat(),
        Cause::Failure(failure) => failure,
    };
    body.is_replayable()
        && match failure {
            Failure::Connect(_) | Failure::ConnectTimeout | Failure::Unprocessed(_) => {
                budgets.withdraw_connect(now)
            }
            Failure::Refused(_) => repeat(),
            Failure::Broken(_) | Failure::Timeout => facts.is_idempotent() && repeat(),
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
        let budget = Budget::holding(RESERVE_PER_SECOND, MOST_SAVED);
        (0..1000).for_each(|_| budget.deposit(0.05));
        let allowed = (0..1000).filter(|_| budget.withdraw(0)).count();
        // Ten in reserve and a twentieth of a thousand.
        assert!((59..=60).contains(&allowed), "{allowed}");
    }

    #[test]
    fn the_reserve_comes_back_by_the_second_and_no_further() {
        let budget = Budget::holding(RESERVE_PER_SECOND, MOST_SAVED);
        while budget.withdraw(0) {}
        let second = (1.0 / TICK.as_secs_f64()) as u64;
        let after_a_second = (0..50).filter(|_| budget.withdraw(second)).count();
        assert_eq!(after_a_second, 10);
        let after_an_hour = (0..50).filter(|_| budget.withdraw(3600 * second)).count();
        assert_eq!(after_an_hour, 10);
    }

    #[test]
    fn savings_are_bounded() {
        let budget = Budget::holding(RESERVE_PER_SECOND, MOST_SAVED);
        (0..100_000).for_each(|_| budget.deposit(1.0));
        let allowed = (0..1000).filter(|_| budget.withdraw(0)).count();
        assert_eq!(allowed, MOST_SAVED as usize);
    }

    #[test]
    fn connections_to_a_pool_where_nobody_answers_are_tried_once_a_request() {
        let budgets = Budgets::default();
        let retries = Retries {
            attempts: 3,
            budget: 0.2,
            per_try_timeout: TICK,
            statuses: Vec::new(),
        };
        let allowed = |requests: usize| {
            let all = (0..requests).map(|_| budgets.connects.withdraw(0));
            all.filter(|allowed| *allowed).count()
        };
        assert_eq!(allowed(5000), MOST_CONNECTS_SAVED as usize);
        // Half of the pool is back: each answer pays for what a request may need.
        (0..50).for_each(|_| budgets.answered(&retries));
        assert_eq!(allowed(5000), 100);
    }
}
