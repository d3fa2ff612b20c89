//! Sending copies of requests to a second pool, whose answers nobody sees.
//!
//! A copy is a request of its own, begun when the first has been routed and
//! made by a task of its own: nothing of it can hold up or fail the first, nor
//! does it hold on to the client's connection. Its body is what the first one's
//! turns out to be, as long as that stays within what is kept of bodies; a copy
//! that would be more, or one too many, is not sent, and counted.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_model::pool::Pool;
use tokio::sync::oneshot;

use crate::admit;
use crate::attempt::Attempt;
use crate::body::Content;
use crate::connection::Client;
use crate::current::PoolView;
use crate::due::Due;
use crate::facts::Held;
use crate::request_body::RequestBody;
use crate::source::Source;
use crate::upstream::{InFlight, discard};
use crate::worker::Worker;

/// Copies under way at once on a worker: a slow second pool must not gather
/// bodies without end.
const MOST_AT_ONCE: usize = 128;

/// What is read of an answer, so that its connection can serve again.
const MOST_READ: usize = 1024 * 1024;

/// A request that is to be copied, once its body has come.
struct Copy {
    worker: Rc<Worker>,
    source: Rc<Source>,
    held: Held,
    pool: Arc<Pool>,
}

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
    let copy = Copy {
        worker: Rc::clone(worker),
        source: Rc::clone(client.source()),
        held: held.duplicate(),
        pool: Arc::clone(to),
    };
    let body = body.copied();
    tokio::task::spawn_local(async move {
        let worker = Rc::clone(&copy.worker);
        match copy.send(body).await {
            Some(()) => worker.counters().mirrored.add(1),
            None => worker.counters().unmirrored.add(1),
        }
    });
}

impl Copy {
    /// Send it when its body has come, and read the answer; none if that could
    /// not be done.
    async fn send(self, body: oneshot::Receiver<Bytes>) -> Option<()> {
        let body = body.await.ok()?;
        let _under_way = UnderWay::begin(&self.worker)?;
        let deadline = self.worker.deadlines.register();
        let limit = self.pool.config.request_timeout;
        if !limit.is_zero() {
            deadline.arm(limit);
        }
        deadline.limit(self.exchange(body)).await.ok()?
    }

    async fn exchange(mut self, body: Bytes) -> Option<()> {
        let worker = &self.worker;
        let config = &self.pool.config;
        let current = worker.current();
        let view = current.still(&self.pool)?;
        let budgets = Rc::clone(&view.budgets);
        // A copy waits for nobody, and goes before nobody who does.
        if view.pool.state.queue().is_waited_in() {
            return None;
        }
        let admitted = admit::place(worker, view, &mut self.held, None).ok()?;
        drop(current);
        let in_flight = InFlight::enter(worker, admitted, None, Instant::now());
        let (limit, none) = (config.request_timeout, Duration::ZERO);
        let due = Due::after(&worker.deadlines, limit, None, none);
        let attempt = Attempt {
            worker,
            source: &self.source,
            facts: &self.held,
            account: None,
            pool: config,
            budgets: &budgets,
            deadline: &worker.deadlines.register(),
            due: &due,
        };
        let body = RequestBody::of_bytes(body);
        let answered = attempt.run(in_flight, body).await.ok()?;
        discard(Content::from(answered.body), MOST_READ).await.ok()
    }
}

/// The guard of a copy that is under way.
struct UnderWay(Rc<Worker>);

impl UnderWay {
    /// Count one in, unless there are too many.
    fn begin(worker: &Rc<Worker>) -> Option<Self> {
        let mirroring = &worker.mirroring;
        if mirroring.get() >= MOST_AT_ONCE {
            return None;
        }
        mirroring.set(mirroring.get() + 1);
        Some(Self(Rc::clone(worker)))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mirroring = &self.0.mirroring;
        mirroring.set(mirroring.get() - 1);
    }
}
