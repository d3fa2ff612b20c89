//! Trying servers of a pool until one answers, or no attempt is left.

use std::mem;

use gatewright_host::ExchangeView;
use gatewright_model::id::Slot;
use http::Response;

use crate::attempt::{Answered, Attempt};
use crate::body::Content;
use crate::connection::Client;
use crate::current::PoolView;
use crate::decide;
use crate::due::Due;
use crate::explain;
use crate::facts::Held;
use crate::failure::Failure;
use crate::hedge;
use crate::request_body::RequestBody;
use crate::respond::Denial;
use crate::retry::{self, Cause};
use crate::upstream::discard_aside;
use crate::waiting::Seeking;
use crate::worker::Worker;

/// Try servers of the pool until one answers or no attempt is left. The answer is put
/// into `response`, an empty one.
pub(crate) async fn forward(
    client: &Client,
    held: &mut Held,
    pool: &PoolView,
    session: Option<Slot>,
    mut body: RequestBody,
    response: &mut Response<Content>,
) -> Result<Answered, Denial> {
    let worker = &client.worker;
    let config = &pool.pool.config;
    let deadline = client.patience();
    let due = Due::after(
        &worker.deadlines,
        config.request_timeout,
        held.call_timeout(),
        held.waited,
    );
    let seeking = Seeking {
        worker,
        pool: &pool.pool,
        session,
        deadline: &deadline,
        due: &due,
    };
    pool.budgets.came(&config.retries);
    let mut before: Option<Box<(Outcome, Response<Content>)>> = None;
    loop {
        // Mostly there is no waiting, and nothing to be asked twice.
        let in_flight = match seeking.at_once(held) {
            Ok(in_flight) => in_flight,
            Err(why) => match seeking.otherwise(held, why).await {
                Ok(in_flight) => in_flight,
                Err(denial) => {
                    let Some(last) = before else {
                        return Err(denial);
                    };
                    let (outcome, answer) = *last;
                    *response = answer;
                    return outcome.conclude(held, pool);
                }
            },
        };
        if let Some(before) = before.take() {
            // What that server has said is not the last word.
            let (_, answer) = *before;
            discard_aside(worker, answer.into_body());
            worker.counters().retries.add(1);
        }
        if let Some(advice) = held.effects.timeout.take() {
            due.advance(worker.deadlines.tick_after(advice));
        }
        if let Some(more) = held.effects.retries.take() {
            let most = more.saturating_add(held.attempt());
            held.most_attempts = held.most_attempts.min(most);
        }
        // A plugin may have it later than the operator, not earlier.
        let advice = held.effects.hedge_after.take();
        let hedge_after = config.overload.hedge_after;
        let hedge_after = hedge_after.map(|after| after.max(advice.unwrap_or_default()));
        let attempt = Attempt {
            worker,
            source: client.source(),
            facts: held,
            account: held.noted.get(),
            pool: config,
            budgets: &pool.budgets,
            deadline: &deadline,
            due: &due,
        };
        let mut slot = in_flight.upstream().state().slot();
        let outcome = match hedge_after {
            // Rare, and large.
            Some(after) if hedge::is_for(held, &body, &in_flight, session) => {
                let hedged = hedge::run(attempt, in_flight, held, pool, after, response);
                let hedged = Box::pin(hedged).await;
                slot = hedged.slot;
                held.tried.extend(hedged.other);
                if let Some((second, steps)) = hedged.second {
                    explain::hedged(held, pool.endpoint(second), steps);
                }
                hedged.outcome
            }
            _ => attempt.run(in_flight, body, response).await,
        };
        let (outcome, unsent) = match outcome {
            // Mostly that is all there is to it.
            Ok(answered) if answered.replay.is_none() => {
                pass_on(held, pool, &answered);
                client.leave(deadline, held.version);
                return Ok(answered);
            }
            Ok(mut answered) => {
                let unsent = answered.replay.take();
                let unsent = unsent.unwrap_or_else(RequestBody::none);
                (Outcome::Answered(answered), unsent)
            }
            Err((failure, unsent)) => (Outcome::Failed(failure), unsent),
        };
        held.tried.push(slot);
        let is_due = worker.deadlines.now() >= due.tick();
        if is_due || !may_try_again(worker, held, pool, &outcome, &unsent) {
            return outcome.conclude(held, pool);
        }
        body = unsent;
        let answer = mem::replace(response, Response::new(Content::empty()));
        before = Some(Box::new((outcome, answer)));
    }
}

/// What an attempt came to that another may follow.
enum Outcome {
    Answered(Answered),
    Failed(Failure),
}

impl Outcome {
    /// It is the last word.
    fn conclude(self, held: &mut Held, pool: &PoolView) -> Result<Answered, Denial> {
        match self {
            Self::Answered(answered) => {
                pass_on(held, pool, &answered);
                Ok(answered)
            }
            Self::Failed(failure) => Err(failure.into()),
        }
    }
}

/// Note that this answer is passed on.
fn pass_on(held: &mut Held, pool: &PoolView, answered: &Answered) {
    let slot = answered.slot;
    // Whoever answers is none of those that were tried before.
    held.tried.retain(|tried| *tried != slot);
    if let Some(answerer) = &mut held.answerer {
        let endpoint = pool.endpoint(slot);
        answerer.endpoint = endpoint.map(|endpoint| endpoint.id.clone());
    }
    pool.budgets.answered(&pool.pool.config.retries);
    held.responded = Some(answered.at);
}

/// Whether there is a server that may be tried after this outcome.
fn may_try_again(
    worker: &Worker,
    held: &Held,
    pool: &PoolView,
    outcome: &Outcome,
    body: &RequestBody,
) -> bool {
    let current = worker.current();
    let Some(view) = current.still(&pool.pool) else {
        return false;
    };
    let cause = match outcome {
        Outcome::Answered(..) => Cause::Status,
        Outcome::Failed(failure) => Cause::Failure(failure),
    };
    let retries = &pool.pool.config.retries;
    let now = worker.deadlines.now();
    decide::has_other(view, held)
        && retry::is_allowed(cause, retries, &pool.budgets, held, body, now)
}
