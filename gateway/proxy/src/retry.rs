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

use gatewright_model::config::Retries;
use gatewright_model::retry_budget::RetryBudgets;

use crate::deadlines;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::request_body::RequestBody;

/// What an attempt came to that may be followed by another.
#[derive(Clone, Copy)]
pub(crate) enum Cause<'a> {
    /// No response.
    Failure(&'a Failure),
    /// A response to an idempotent request whose status is one of those after
    /// which another server is asked.
    Status,
}

/// Whether to try another server after `cause`; `now` in ticks of the coarse
/// clock.
pub(crate) fn is_allowed(
    cause: Cause<'_>,
    retries: &Retries,
    budgets: &RetryBudgets,
    facts: &Facts,
    body: &RequestBody,
    now: u64,
) -> bool {
    if facts.tried.len() as u32 >= retries.attempts.min(facts.most_attempts) {
        return false;
    }
    let now = deadlines::since_start(now);
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
            Failure::Broken(_) | Failure::Tired(_) | Failure::Timeout => {
                facts.is_idempotent() && repeat()
            }
            Failure::CallerTimeout
            | Failure::ClientLeft
            | Failure::ClientStalled
            | Failure::BodyTooLarge
            | Failure::Unsendable => false,
        }
}
