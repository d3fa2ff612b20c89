//! Sending copies of requests to a second pool, whose answers nobody sees.
//!
//! A copy is a request of its own, begun when the first has been routed and
//! made by a task of its own: nothing of it can hold up or fail the first. Its
//! body is what the first one's turns out to be, as long as that stays within
//! what is kept of bodies; a copy that would be more, or one too many, is not
//! sent, and counted.

mod copied;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use gatewright_model::pool::Pool;
use http_body_util::BodyExt;

use crate::attempt::Attempt;
use crate::body::Content;
use crate::connection::Client;
use crate::current::PoolView;
use crate::decide;
use crate::due::Due;
use crate::facts::Held;
use crate::request_body::RequestBody;
use crate::upstream::InFlight;
use crate::worker::Worker;

pub(crate) use copied::{Copied, CopyWriter, copy};

/// Copies under way at once on a worker: a slow second pool must not gather
/// bodies without end.
const MOST_AT_ONCE: usize = 128;

/// What is read of an answer, so that its connection can serve again.
const MOST_READ: usize = 1024 * 1024;

/// Send a copy of a request that goes to `pool`, if one of it is to be sent.
pub(crate) fn reflect(client: &Rc<Client>, held: &Held, pool: &PoolView, body: &mut RequestBody) {
    let Some(mirror) = &pool.pool.config.mirror else {
        return;
    };
    let worker = &client.worker;
    let is_drawn = worker.random.borrow_mut().u8(..100) < mirror.percent;
    if !is_drawn || held.upgrade.is_some() {
        return;
    }
    let current = worker.current();
    let Some(to) = current.snapshot.pool_named(mirror.pool.as_str()) else {
        return;
    };
    let Some(place) = Place::take(worker) else {
        worker.counters().unmirrored.add(1);
        return;
    };
    let sending = send(
        Rc::clone(client),
        held.duplicate(),
        Arc::clone(to),
        body.copied(),
    );
    tokio::task::spawn_local(async move {
        let counters = place.0.counters();
        match sending.await {
            Some(()) => counters.mirrored.add(1),
            None => counters.unmirrored.add(1),
        }
    });
}

/// A copy's place among those under way.
struct Place(Rc<Worker>);

impl Place {
    fn take(worker: &Rc<Worker>) -> Option<Self> {
        let taken: &Cell<usize> = &worker.mirroring;
        if taken.get() >= MOST_AT_ONCE {
            return None;
        }
        taken.set(taken.get() + 1);
        Some(Self(Rc::clone(worker)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.0.mirroring;
        taken.set(taken.get() - 1);
    }
}

/// Send a copy and read its answer; none if that could not be done.
async fn send(client: Rc<Client>, mut held: Held, pool: Arc<Pool>, copied: Copied) -> Option<()> {
    let body = RequestBody::of_bytes(copied.whole().await?);
    let worker = &client.worker;
    let config = &pool.config;
    let current = worker.current();
    let view = current.still(&pool)?;
    let upstream = decide::endpoint(worker, view, &mut held, None)?;
    drop(current);
    let in_flight = InFlight::enter(worker, &upstream, None, Instant::now());
    let deadline = worker.deadlines.register();
    let due = Due::after(&worker.deadlines, config.request_timeout, None);
    let attempt = Attempt {
        worker,
        source: client.source(),
        facts: &held,
        pool: config,
        deadline: &deadline,
        due: &due,
    };
    let answered = attempt.run(in_flight, body).await.ok()?;
    let mut content = Content::from(answered.body);
    let mut read = 0;
    while let Some(frame) = content.frame().await {
        read += frame.ok()?.data_ref().map_or(0, bytes::Bytes::len);
        if read > MOST_READ {
            break;
        }
    }
    Some(())
}
