//! Sending copies of requests to a second pool, whose answers nobody sees.
//!
//! A copy is a request of its own, begun when the first has been routed and
//! made by a task of its own: nothing of it can hold up or fail the first, nor
//! does it hold on to the client's connection. Its body is what the first one's
//! turns out to be, as long as that stays within what is kept of bodies; a copy
//! that would be more, or one too many, is not sent, and counted.

use std::rc::Rc;

use bytes::Bytes;
use gatewright_model::config::Mirror;
use tokio::sync::oneshot;

use crate::aside::Aside;
use crate::connection::Client;
use crate::current::PoolView;
use crate::facts::Held;
use crate::request_body::RequestBody;
use crate::under_way::Work;

/// What is read of an answer, so that its connection can serve again.
const MOST_READ: usize = 1024 * 1024;

/// Send a copy of a request that goes to `pool`, if one of it is to be sent.
#[inline]
pub(crate) fn reflect(client: &Rc<Client>, held: &Held, pool: &PoolView, body: &mut RequestBody) {
    if let Some(mirror) = &pool.pool.config.mirror {
        copy(client, held, mirror, body);
    }
}

#[cold]
fn copy(client: &Rc<Client>, held: &Held, mirror: &Mirror, body: &mut RequestBody) {
    let worker = &client.worker;
    let is_drawn = worker.random.borrow_mut().u8(..100) < mirror.percent;
    if !is_drawn || held.upgrade.is_some() {
        return;
    }
    let current = worker.current();
    let Some(to) = current.snapshot.pool_named(mirror.pool.as_str()) else {
        return;
    };
    let copy = Aside::of(client, held.duplicate(), to);
    let body = body.copied();
    tokio::task::spawn_local(async move {
        let worker = Rc::clone(&copy.worker);
        match send(copy, body).await {
            Some(()) => worker.counters().mirrored.add(1),
            None => worker.counters().unmirrored.add(1),
        }
    });
}

/// Send a copy when its body has come, and read the answer; none if that could not be
/// done.
async fn send(copy: Aside, body: oneshot::Receiver<Bytes>) -> Option<()> {
    let body = RequestBody::of_bytes(body.await.ok()?);
    let copy = copy.ask(Work::Copy, body, |_, _, answered, response| {
        answered.ok()?;
        Some((response.into_body(), MOST_READ))
    });
    copy.await
}
