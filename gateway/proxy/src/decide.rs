//! The decisions of an exchange, each asked of the plugin in its seat, and what
//! is done in its place when it faults or its answer cannot be used.

use std::rc::Rc;

use gatewright_host::{ExchangeView, Route, Verdict};
use gatewright_model::circuit::Permit;
use gatewright_model::config::OnFault;
use gatewright_model::endpoint::Endpoint;
use gatewright_model::id::Slot;
use gatewright_model::pool::Pool;
use http::StatusCode;

use crate::account::Note;
use crate::breaker;
use crate::current::{Current, PoolView};
use crate::edits;
use crate::facts::{Facts, Held};
use crate::hash;
use crate::respond::Denial;
use crate::upstream::Upstream;
use crate::warming;
use crate::worker::Worker;

/// Ask the request policies in their order: an answer ends the request.
pub(crate) fn screen(worker: &Worker, held: &mut Held) -> Result<Option<StatusCode>, Denial> {
    let mut chain = worker.chain.borrow_mut();
    for policy in &mut chain.policies {
        match held.lend(|lent| policy.seat.check(lent)) {
            Ok(Verdict::Proceed) => edits::settle(held),
            Ok(Verdict::Answer(status)) => {
                held.noted.note(Note::Policy, policy.seat.decided().label());
                edits::settle(held);
                return Ok(Some(status_of(status)));
            }
            Err(_) if policy.on_fault == OnFault::Allow => {}
            Err(_) => return Err(Denial::PolicyFault),
        }
    }
    Ok(None)
}

/// Where the router sends a request.
pub(crate) enum Routed<'a> {
    Pool(&'a PoolView),
    Answer(StatusCode),
}

/// Ask the router. Where it faults or has no opinion, the default pool serves.
pub(crate) fn route<'a>(
    worker: &Worker,
    current: &'a Current,
    held: &mut Held,
) -> Result<Routed<'a>, Denial> {
    let mut chain = worker.chain.borrow_mut();
    let routed = held.lend(|lent| chain.router.route(lent));
    if routed.is_ok() {
        held.noted
            .note(Note::Router, chain.router.decided().label());
    }
    drop(chain);
    edits::settle(held);
    let fallback = || current.snapshot.config.default_pool;
    let (pool, otherwise) = match routed {
        Ok(Route::Forward(pool)) => (Some(pool), Denial::NoServer),
        Ok(Route::Answer(status)) => return Ok(Routed::Answer(status_of(status))),
        Ok(Route::Unmatched) => (fallback(), Denial::NoRoute),
        Err(_) => {
            worker.counters().fallbacks.add(1);
            (fallback(), Denial::NoServer)
        }
    };
    let pool = pool.and_then(|pool| current.pool(pool));
    pool.map(Routed::Pool).ok_or(otherwise)
}

/// Ask the affinity for the endpoint of the client's session.
pub(crate) fn session(worker: &Worker, pool: &PoolView, held: &mut Held) -> Option<Slot> {
    let mut chain = worker.chain.borrow_mut();
    let seats = chain.pools.get_mut(pool.pool.index.index())?;
    let affinity = seats.affinity.as_mut()?;
    match held.lend(|lent| affinity.lookup(lent)) {
        Ok(slot) => {
            if slot.is_some() {
                held.noted.note(Note::Affinity, affinity.decided().label());
            }
            slot
        }
        Err(_) => {
            worker.counters().fallbacks.add(1);
            None
        }
    }
}

/// An endpoint that has been decided on.
pub(crate) struct Chosen {
    pub(crate) upstream: Rc<Upstream>,
    /// The right to go there, where its circuit is not closed.
    pub(crate) permit: Option<Permit>,
}

impl Chosen {
    pub(crate) fn plain(pool: &PoolView, slot: Slot) -> Option<Self> {
        let upstream = pool.upstream(slot)?;
        Some(Self {
            upstream: Rc::clone(upstream),
            permit: None,
        })
    }
}

/// The endpoint for the next attempt: the session's, else one that is to be tried
/// whose circuit is half-open, else the balancer's choice, else its second choice,
/// else the next in rotation, else one whose circuit is open.
pub(crate) fn endpoint(
    worker: &Worker,
    pool: &PoolView,
    held: &mut Held,
    session: Option<Slot>,
) -> Option<Chosen> {
    let can_continue = |slot: &Slot| is_free(pool, held, *slot, Endpoint::is_usable);
    if let Some(slot) = session.filter(can_continue) {
        return Chosen::plain(pool, slot);
    }
    if let Some(on_trial) = breaker::trial(worker, pool, held) {
        return Some(on_trial);
    }
    // On a retry the plugin may have said already where to turn.
    let second = held.effects.second_choice.take();
    let slot = second
        .filter(|slot| can_take(pool, held, *slot))
        .or_else(|| pick(worker, pool, held))
        .or_else(|| rotate(pool, held));
    match slot {
        Some(slot) => Chosen::plain(pool, slot),
        None => last_resort(pool, held),
    }
}

/// The next in rotation of those whose circuits are not closed, if nobody else is
/// left: an attempt that may fail is better than none. Who is full is left.
fn last_resort(pool: &PoolView, held: &Held) -> Option<Chosen> {
    if is_anybody_left(pool, held) {
        return None;
    }
    let slot = rotate_among(pool, |slot| {
        is_free(pool, held, slot, Endpoint::is_last_resort)
    })?;
    let mut chosen = Chosen::plain(pool, slot)?;
    chosen.permit = Permit::as_last_resort(chosen.upstream.state());
    Some(chosen)
}

/// Whether any eligible endpoint was not tried yet, be it full.
pub(crate) fn is_anybody_left(pool: &PoolView, facts: &Facts) -> bool {
    let mut endpoints = pool.pool.endpoints();
    endpoints.any(|one| one.is_eligible() && !facts.tried().contains(&one.slot()))
}

/// Whether any endpoint might take another attempt now, were it as a last resort.
pub(crate) fn has_other(pool: &PoolView, facts: &Facts) -> bool {
    has_eligible_other(pool, facts)
        || !is_anybody_left(pool, facts) && any_is_free(pool, facts, Endpoint::is_last_resort)
}

/// Whether any endpoint might that nothing speaks against.
pub(crate) fn has_eligible_other(pool: &PoolView, facts: &Facts) -> bool {
    any_is_free(pool, facts, Endpoint::is_eligible)
}

fn any_is_free(pool: &PoolView, facts: &Facts, fits: fn(&Endpoint) -> bool) -> bool {
    let mut endpoints = pool.pool.endpoints();
    endpoints.any(|one| is_free(pool, facts, one.slot(), fits))
}

/// Ask the balancer; none if it faults, has no opinion, or names only what
/// cannot take the attempt.
fn pick(worker: &Worker, pool: &PoolView, held: &mut Held) -> Option<Slot> {
    let key = hash::key(&pool.pool.config.hash_key, held);
    let mut chain = worker.chain.borrow_mut();
    let balancer = &mut chain.pools.get_mut(pool.pool.index.index())?.balancer;
    let Ok(Some(slot)) = held.lend(|lent| balancer.pick(key, lent)) else {
        worker.counters().fallbacks.add(1);
        return None;
    };
    held.noted.note(Note::Balancer, balancer.decided().label());
    if can_take(pool, held, slot) {
        return Some(match warming::takes(worker, pool, slot) {
            true => slot,
            false => instead_of_warming(pool, held).unwrap_or(slot),
        });
    }
    worker.counters().overruled.add(1);
    balancer.overruled();
    let second = held.effects.second_choice.take();
    second.filter(|slot| can_take(pool, held, *slot))
}

/// Who takes a request that a warming endpoint was to get: the second choice, or
/// else the next in rotation; none where nobody is warm.
fn instead_of_warming(pool: &PoolView, held: &mut Held) -> Option<Slot> {
    let is_warm = |slot: Slot| !warming::is_warming(pool, slot);
    let second = held.effects.second_choice.take();
    let second = second.filter(|slot| is_warm(*slot) && can_take(pool, held, *slot));
    second.or_else(|| rotate_among(pool, |slot| is_warm(slot) && can_take(pool, held, slot)))
}

/// The next eligible endpoint in the order of slots; a warm one, if there is one.
pub(crate) fn rotate(pool: &PoolView, held: &Held) -> Option<Slot> {
    let is_warm = |slot| !warming::is_warming(pool, slot);
    rotate_among(pool, |slot| is_warm(slot) && can_take(pool, held, slot))
        .or_else(|| rotate_among(pool, |slot| can_take(pool, held, slot)))
}

fn rotate_among(pool: &PoolView, fits: impl Fn(Slot) -> bool) -> Option<Slot> {
    let width = pool.pool.width();
    let start = pool.rotation.get();
    let mut slots = (0..width).map(|step| Slot(((start + step) % width) as u32));
    let found = slots.find(|slot| fits(*slot))?;
    pool.rotation.set(found.index() + 1);
    Some(found)
}

/// Whether a slot may be given a new attempt.
fn can_take(pool: &PoolView, held: &Held, slot: Slot) -> bool {
    is_free(pool, held, slot, Endpoint::is_eligible)
}

fn is_free(pool: &PoolView, facts: &Facts, slot: Slot, fits: impl Fn(&Endpoint) -> bool) -> bool {
    let endpoint = pool.endpoint(slot);
    endpoint.is_some_and(|endpoint| fits(endpoint) && endpoint.has_room())
        && !facts.tried().contains(&slot)
}

/// Tell the affinity which endpoint answered a client that had no session.
pub(crate) fn bind(worker: &Worker, pool: &Pool, answered: Slot, held: &mut Held) {
    let current = worker.current();
    let Some(view) = current.still(pool) else {
        return;
    };
    let mut chain = worker.chain.borrow_mut();
    let seats = chain.pools.get_mut(view.pool.index.index());
    if let Some(affinity) = seats.and_then(|seats| seats.affinity.as_mut()) {
        // A fault costs the client its session and nothing else; the host
        // counts it.
        let _ = held.lend(|lent| affinity.bind(answered, lent));
    }
}

/// Let the response policies edit the head that `held` carries.
pub(crate) fn finish(worker: &Worker, status: StatusCode, held: &mut Held) {
    let mut chain = worker.chain.borrow_mut();
    for seat in &mut chain.finishers {
        // As with `bind`: the response goes out as it stands.
        let _ = held.lend(|lent| seat.finish(status.as_u16(), lent));
    }
}

/// The host lets only 200 to 599 through.
fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
