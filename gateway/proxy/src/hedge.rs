//! Asking a second server when the first does not answer soon: for requests that
//! may be done twice and have no body, where a pool is configured so. The first
//! good head wins, and the other attempt is dropped: its connection is closed,
//! or its stream reset (the hedged requests of Dean and Barroso, "The Tail at
//! Scale").
//!
//! The second server is decided on when it is asked, not before: a balancer that
//! goes round would otherwise skip every other server. It is one that nothing
//! speaks against, and that nobody waits for. Each second attempt draws on the
//! retries' budget, so that a pool that is slow because it has too much to do is
//! not given twice as much.
//!
//! Two kinds of attempts are left alone. One on trial decides whether its server
//! is well, which takes an ending of its own. And one at the server of the
//! client's session: an answer from elsewhere would move the session for one
//! moment's slowness.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use gatewright_host::{ExchangeView as _, Step};
use gatewright_model::id::Slot;
use gatewright_wire::RequestFraming;
use http::Response;

use crate::admit;
use crate::attempt::{Answered, Attempt, Failed};
use crate::body::Content;
use crate::breaker;
use crate::current::PoolView;
use crate::deadlines;
use crate::decide;
use crate::facts::{Facts, Held};
use crate::request_body::RequestBody;
use crate::upstream::{InFlight, discard_aside};
use crate::worker::Worker;

/// What came of one attempt or two.
pub(crate) struct Hedged {
    /// Whose outcome it is.
    pub(crate) slot: Slot,
    pub(crate) outcome: Result<Answered, Failed>,
    /// The other server that was asked, if one was.
    pub(crate) other: Option<Slot>,
    /// The second server that was asked, if one was, and how it was decided on, if
    /// that is written down.
    pub(crate) second: Option<(Slot, Vec<Step>)>,
}

/// Whether a request may be given to another server than the one that `in_flight`
/// counts, too.
pub(crate) fn is_for(
    facts: &Facts,
    body: &RequestBody,
    in_flight: &InFlight,
    session: Option<Slot>,
) -> bool {
    facts.tried.is_empty()
        && facts.is_idempotent()
        && !in_flight.is_on_trial()
        && session != Some(in_flight.upstream().state().slot())
        && facts.upgrade.is_none()
        && body.framing() == RequestFraming::None
}

/// Try the server that `in_flight` counts, and if it has not answered `after`
/// that time another one of the pool, too. What is answered is put into `response`, an
/// empty one.
pub(crate) async fn run(
    attempt: Attempt<'_>,
    in_flight: InFlight,
    held: &Held,
    pool: &PoolView,
    after: Duration,
    response: &mut Response<Content>,
) -> Hedged {
    let worker = attempt.worker;
    let upstream = Rc::clone(in_flight.upstream());
    let slot = upstream.state().slot();
    let alone = |outcome| Hedged {
        slot,
        outcome,
        other: None,
        second: None,
    };
    let mut answer = Response::new(Content::empty());
    let (index, outcome, other, trace) = {
        let mut first = pin!(attempt.run(in_flight, RequestBody::none(), &mut *response));
        // A timer of its own, since the sweep is too coarse for it.
        if let Ok(outcome) = tokio::time::timeout(after, first.as_mut()).await {
            return alone(outcome);
        }
        let Some((mut twin, in_flight)) = second(worker, held, pool, slot) else {
            return alone(first.await);
        };
        worker.counters().hedges.add(1);
        let other = in_flight.upstream().state().slot();
        let trace = twin.effects.trace.take().unwrap_or_default();
        let numbers = [held.attempt(), twin.attempt()];
        let deadline = worker.deadlines.register();
        let attempt = Attempt {
            facts: &twin,
            deadline: &deadline,
            ..attempt
        };
        let second = pin!(attempt.run(in_flight, RequestBody::none(), &mut answer));
        let (index, outcome, rest) = race(first, second).await;
        if let Some(account) = attempt.account {
            account.raced([numbers[index], numbers[1 - index]]);
        }
        // The second had less time, so that the same would say little of its server.
        if rest.is_none() && index == 1 {
            breaker::overtaken(worker, &upstream);
        }
        (index, outcome, other, trace)
    };
    if index == 1 {
        mem::swap(response, &mut answer);
        worker.counters().hedges_won.add(1);
    }
    // What the other has answered, if it has.
    discard_aside(worker, answer.into_body());
    let second = Some((other, trace.steps));
    let (slot, other) = match index {
        0 => (slot, other),
        _ => (other, slot),
    };
    Hedged {
        slot,
        outcome,
        other: Some(other),
        second,
    }
}

/// The same request for another server than the one at `tried`, and its place
/// there; none if there is none to be had, or too much is repeated already.
fn second(
    worker: &Rc<Worker>,
    held: &Held,
    pool: &PoolView,
    tried: Slot,
) -> Option<(Held, InFlight)> {
    let now = worker.current();
    let view = now.still(&pool.pool)?;
    let mut twin = held.duplicate();
    twin.tried.push(tried);
    // A canary decides about all attempts of a request or none.
    twin.effects.lot = held.effects.lot;
    twin.effects.is_given_up = held.effects.is_given_up;
    twin.effects.trace = held.effects.trace.is_some().then(Box::default);
    let time = deadlines::since_start(worker.deadlines.now());
    if !decide::has_eligible_other(view, &twin)
        || view.pool.state.queue().is_waited_in()
        || !pool.budgets.withdraw(time)
    {
        return None;
    }
    let in_flight = admit::admit(worker, view, &mut twin, None, Instant::now());
    now.stir_shadows(worker);
    Some((twin, in_flight.ok()?))
}

/// An outcome that need not be the last word.
trait Good {
    fn is_good(&self) -> bool;
}

impl Good for Answered {
    /// A server that fails fast does not beat one that thinks.
    fn is_good(&self) -> bool {
        !self.status.is_server_error()
    }
}

/// The first good outcome, and whose it is; without any the first's answer, else
/// the second's, else the first's failure. Beside it the other one's, if there
/// is one.
async fn race<T: Good, E>(
    mut first: Pin<&mut impl Future<Output = Result<T, E>>>,
    mut second: Pin<&mut impl Future<Output = Result<T, E>>>,
) -> (usize, Result<T, E>, Option<Result<T, E>>) {
    let mut outcomes = [None, None];
    poll_fn(|cx| {
        let [of_first, of_second] = &mut outcomes;
        look(first.as_mut(), of_first, cx);
        look(second.as_mut(), of_second, cx);
        let good = |outcome: &Option<Result<T, E>>| {
            matches!(outcome, Some(Ok(answered)) if answered.is_good())
        };
        let index = match &outcomes {
            outcomes if outcomes.iter().any(good) => usize::from(!good(&outcomes[0])),
            [Some(Err(_)), Some(Ok(_))] => 1,
            [Some(_), Some(_)] => 0,
            _ => return Poll::Pending,
        };
        let won = outcomes[index].take();
        let rest = outcomes[1 - index].take();
        won.map_or(Poll::Pending, |won| Poll::Ready((index, won, rest)))
    })
    .await
}

/// See whether an outcome has come that was not there before.
fn look<F: Future>(racer: Pin<&mut F>, outcome: &mut Option<F::Output>, cx: &mut Context<'_>) {
    if outcome.is_none()
        && let Poll::Ready(came) = racer.poll(cx)
    {
        *outcome = Some(came);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Status(u16);

    impl Good for Status {
        fn is_good(&self) -> bool {
            self.0 < 500
        }
    }

    type Outcome = Result<Status, &'static str>;

    async fn won(outcomes: [Option<Outcome>; 2]) -> (usize, Outcome) {
        let racer = |outcome: Option<Outcome>| async move {
            match outcome {
                Some(outcome) => outcome,
                None => std::future::pending().await,
            }
        };
        let [first, second] = outcomes.map(racer);
        let (index, outcome, _) = race(pin!(first), pin!(second)).await;
        (index, outcome)
    }

    #[tokio::test]
    async fn a_good_answer_wins_at_once_and_a_bad_one_only_over_worse() {
        let (ok, bad, worse) = (Ok(Status(200)), Ok(Status(503)), Err("broken"));
        for (outcomes, winner) in [
            ([Some(ok), None], 0),
            ([None, Some(ok)], 1),
            ([Some(ok), Some(ok)], 0),
            ([Some(bad), Some(ok)], 1),
            ([Some(worse), Some(ok)], 1),
            ([Some(bad), Some(bad)], 0),
            ([Some(worse), Some(bad)], 1),
            ([Some(bad), Some(worse)], 0),
            ([Some(worse), Some(worse)], 0),
        ] {
            let (index, outcome) = won(outcomes).await;
            assert_eq!((index, Some(outcome)), (winner, outcomes[winner]));
        }
    }

    #[tokio::test]
    async fn a_failure_waits_for_the_other() {
        for outcomes in [[Some(Ok(Status(503))), None], [None, Some(Err("broken"))]] {
            let waits = tokio::time::timeout(Duration::from_millis(1), won(outcomes));
            assert!(waits.await.is_err());
        }
    }
}
