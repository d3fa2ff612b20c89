//! What the ending of an attempt says to its server's circuit.
//!
//! No answer, a broken one, and the statuses by which a gateway would say so (502,
//! 503, 504) are failures; other statuses from 500 are errors; everything else is
//! a success. What clients do says nothing.

use std::rc::Rc;

use gatewright_host::Ending;
use gatewright_model::circuit::{Blow, Moment, Permit};

use crate::current::PoolView;
use crate::deadlines::TICK;
use crate::decide::Chosen;
use crate::facts::Facts;
use crate::upstream::Upstream;
use crate::worker::Worker;

/// How many attempts in a row may be overtaken on a worker before that says
/// something of the server: one in ten thousand million by chance, at the
/// ninetieth percentile.
const OVERTAKEN_BY_CHANCE: u32 = 10;

/// So many ticks a client has to stand still, a second, for what its server does then
/// to be no fault of the server's: one that waits for the rest of a body, or for room
/// for its own, gives up in time.
pub(crate) const STANDSTILL: u64 = 1_000 / TICK.as_millis() as u64;

/// What an ending says of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    Blow(Blow),
    Nothing,
}

impl Verdict {
    /// By how an attempt ended, and the status that it was answered with; 0 for
    /// none.
    pub(crate) fn of(ending: Ending, status: u16) -> Self {
        match (ending, status) {
            (Ending::ConnectFailed | Ending::Broken | Ending::TimedOut, _) | (_, 502..=504) => {
                Self::Blow(Blow::Failure)
            }
            (_, 500..) => Self::Blow(Blow::Error),
            (Ending::Completed, _) => Self::Success,
            (Ending::Abandoned, _) => Self::Nothing,
        }
    }
}

/// Tell a server's circuit of an attempt, with the permit that it had if the
/// circuit was not closed.
pub(crate) fn tell(worker: &Worker, upstream: &Upstream, verdict: Verdict, permit: Option<Permit>) {
    let circuit = &upstream.state().circuit;
    let turn = match (verdict, permit) {
        (Verdict::Nothing, _) => return,
        (Verdict::Success, None) => return circuit.succeeded(),
        (Verdict::Success, Some(permit)) => permit.succeeded(Moment::now()),
        (Verdict::Blow(blow), permit) => {
            let Some(breaker) = upstream.breaker() else {
                return;
            };
            match permit {
                Some(permit) => permit.failed(&breaker, Moment::now()),
                None => circuit.failed(blow, &breaker, Moment::now()),
            }
        }
    };
    if let Some(turn) = turn {
        worker.suspects.turned(upstream.state(), turn);
    }
}

/// Another server has answered a request that this one was given first. Once says
/// nothing: where a hedge begins at the ninetieth percentile, each tenth request is
/// overtaken. So many in a row are as good as no answers.
pub(crate) fn overtaken(worker: &Worker, upstream: &Upstream) {
    if upstream.overtaken() > OVERTAKEN_BY_CHANCE {
        tell(worker, upstream, Verdict::Blow(Blow::Failure), None);
    }
}

/// The server that a request is to be sent to on trial, if a circuit of the pool
/// is half-open and the request may be: in its first attempt, so that it can go
/// elsewhere if that fails.
pub(crate) fn trial(worker: &Worker, pool: &PoolView, facts: &Facts) -> Option<Chosen> {
    if !pool.pool.state.circuits.wait_for_trials() || !facts.tried.is_empty() {
        return None;
    }
    // One may wait for long, since its checks fail, or since no request comes that
    // may be repeated: many servers are not to be looked through for each request.
    let now = worker.deadlines.now();
    if pool.no_trial_at.get() == Some(now) {
        return None;
    }
    let on_trial = begin_trial(pool, facts);
    if on_trial.is_none() {
        pool.no_trial_at.set(Some(now));
    }
    on_trial
}

fn begin_trial(pool: &PoolView, facts: &Facts) -> Option<Chosen> {
    let mut endpoints = pool.pool.endpoints();
    endpoints.find_map(|endpoint| {
        if !endpoint.is_wanted() || !endpoint.passes_checks() || !endpoint.has_room() {
            return None;
        }
        let upstream = pool.upstream(endpoint.slot())?;
        let permit = Permit::take(&endpoint.state, facts.is_idempotent())?;
        Some(Chosen {
            upstream: Rc::clone(upstream),
            permit: Some(permit),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateways_own_statuses_are_failures_and_others_from_500_are_errors() {
        let verdicts = [200, 404, 499, 500, 501, 502, 503, 504, 505, 599];
        let verdicts = verdicts.map(|status| Verdict::of(Ending::Completed, status));
        let (failure, error) = (Verdict::Blow(Blow::Failure), Verdict::Blow(Blow::Error));
        let well = Verdict::Success;
        let expected = [
            well, well, well, error, error, failure, failure, failure, error, error,
        ];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn without_an_answer_it_is_a_failure_unless_the_client_is_to_blame() {
        for ending in [Ending::ConnectFailed, Ending::Broken, Ending::TimedOut] {
            assert_eq!(Verdict::of(ending, 0), Verdict::Blow(Blow::Failure));
            assert_eq!(Verdict::of(ending, 200), Verdict::Blow(Blow::Failure));
        }
        assert_eq!(Verdict::of(Ending::Abandoned, 0), Verdict::Nothing);
        assert_eq!(Verdict::of(Ending::Abandoned, 200), Verdict::Nothing);
        assert_eq!(
            Verdict::of(Ending::Abandoned, 500),
            Verdict::Blow(Blow::Error)
        );
    }
}
