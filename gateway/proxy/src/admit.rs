//! Which server gets the next attempt, and whether it may: the decision, and
//! behind it the limits of requests in flight.
//!
//! A server that is full cannot take an attempt, which is no fault of a plugin
//! that named it. Where all are full, no plugin is asked at all: under overload,
//! refusing has to be cheap.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use gatewright_model::circuit::Permit;
use gatewright_model::id::Slot;
use gatewright_model::room::Entry;

use crate::current::PoolView;
use crate::decide::{self, Chosen};
use crate::facts::{Facts, Held};
use crate::upstream::{InFlight, Observers, Upstream};
use crate::worker::Worker;

/// How often the next server is looked for when other workers have filled the
/// one that was chosen: each time somebody else's request has got on.
const RACES: usize = 8;

/// Why nobody gets an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unadmitted {
    /// No server may take it.
    NoServer,
    /// Each that may has as many requests as it may have.
    Full,
}

/// A server on which an attempt has been counted in: [`InFlight`] counts it out.
pub(crate) struct Admitted {
    pub(crate) upstream: Rc<Upstream>,
    pub(crate) entry: Entry,
    /// The right to go there, where its circuit is not closed.
    pub(crate) permit: Option<Permit>,
}

/// Decide on a server for an attempt that begins at `started`, and count it in.
pub(crate) fn admit(
    worker: &Rc<Worker>,
    view: &PoolView,
    held: &mut Held,
    session: Option<Slot>,
    started: Instant,
) -> Result<InFlight, Unadmitted> {
    let admitted = place(worker, view, held, session)?;
    let observers = view.observed.then(|| Observers {
        pool: Arc::clone(&view.pool),
        lot: held.effects.lot.filter(|_| !held.effects.is_given_up),
    });
    Ok(InFlight::enter(worker, admitted, observers, started))
}

/// Decide on a server and count in on it.
pub(crate) fn place(
    worker: &Worker,
    view: &PoolView,
    held: &mut Held,
    session: Option<Slot>,
) -> Result<Admitted, Unadmitted> {
    let has_room = || view.pool.has_room() || has_room_of_its_own(view, session);
    if view.pool.is_limited && decide::is_anybody_left(view, held) && !has_room() {
        return Err(Unadmitted::Full);
    }
    let chosen = decide::endpoint(worker, view, held, session);
    let chosen = chosen.ok_or_else(|| why(view, held))?;
    if let Some(admitted) = enter(view, chosen) {
        return Ok(admitted);
    }
    for _ in 0..RACES {
        let next = decide::rotate(view, held).and_then(|slot| Chosen::plain(view, slot));
        let Some(next) = next else {
            break;
        };
        if let Some(admitted) = enter(view, next) {
            worker.counters().overruled.add(1);
            return Ok(admitted);
        }
    }
    Err(Unadmitted::Full)
}

fn enter(view: &PoolView, chosen: Chosen) -> Option<Admitted> {
    let Chosen { upstream, permit } = chosen;
    let endpoint = view.endpoint(upstream.state().slot())?;
    Some(Admitted {
        entry: view.pool.try_enter(endpoint)?,
        upstream,
        permit,
    })
}

/// Whether the server of a session has room that nobody else may take, since it
/// takes no new work.
pub(crate) fn has_room_of_its_own(view: &PoolView, session: Option<Slot>) -> bool {
    let home = session.and_then(|slot| view.endpoint(slot));
    home.is_some_and(|home| home.is_usable() && !home.is_eligible() && view.pool.has_room_on(home))
}

fn why(view: &PoolView, facts: &Facts) -> Unadmitted {
    match view.pool.is_limited && decide::is_anybody_left(view, facts) {
        true => Unadmitted::Full,
        false => Unadmitted::NoServer,
    }
}
