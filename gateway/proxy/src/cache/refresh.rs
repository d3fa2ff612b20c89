//! Asking a server whether what is kept is still right while it is used: nobody
//! waits for the answer (RFC 5861 §3).
//!
//! As a copy to a second pool is, it is a request of its own, made by a task of its
//! own, and takes no turn of anybody who waits.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_model::pool::Pool;
use http::Method;
use http::header;

use super::ask::Conditions;
use super::fetch::Fetch;
use super::stored::Stored;
use crate::admit;
use crate::attempt::Attempt;
use crate::connection::Client;
use crate::current::PoolView;
use crate::due::Due;
use crate::facts::Held;
use crate::request_body::RequestBody;
use crate::source::Source;
use crate::upstream::{InFlight, discard};
use crate::worker::Worker;

/// A request that nobody waits for.
struct Refresh {
    worker: Rc<Worker>,
    source: Rc<Source>,
    held: Held,
    pool: Arc<Pool>,
    fetch: Box<Fetch>,
}

/// Ask, unless somebody does.
pub(super) fn begin(
    client: &Rc<Client>,
    held: &Held,
    pool: &PoolView,
    fetch: &Fetch,
    stored: &Arc<Stored>,
) {
    let Some(lead) = fetch.cache.flights.lead(&fetch.key) else {
        return;
    };
    let mut fetch = fetch.to_refresh(stored, lead);
    let mut held = held.duplicate();
    // The whole is wanted, whatever this client wants of it.
    held.method = Method::GET;
    for name in [
        header::RANGE,
        header::IF_RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
    ] {
        held.headers.remove(name);
    }
    fetch.is_validating = Conditions::put(stored, &mut held.headers);
    let refresh = Refresh {
        worker: Rc::clone(&client.worker),
        source: Rc::clone(client.source()),
        held,
        pool: Arc::clone(&pool.pool),
        fetch,
    };
    tokio::task::spawn_local(async move {
        let deadline = refresh.worker.deadlines.register();
        let limit = refresh.pool.config.request_timeout;
        if !limit.is_zero() {
            deadline.arm(limit);
        }
        // What is kept goes on being used for as long as it may be.
        let _ = deadline.limit(refresh.ask()).await;
    });
}

impl Refresh {
    async fn ask(mut self) -> Option<()> {
        let worker = &self.worker;
        let config = &self.pool.config;
        let current = worker.current();
        let view = current.still(&self.pool)?;
        let budgets = Rc::clone(&view.budgets);
        if view.pool.state.queue().is_waited_in() {
            return None;
        }
        let admitted = admit::place(worker, view, &mut self.held, None).ok()?;
        drop(current);
        let in_flight = InFlight::enter(worker, admitted, None, Instant::now());
        let due = Due::after(
            &worker.deadlines,
            config.request_timeout,
            None,
            Duration::ZERO,
        );
        let attempt = Attempt {
            worker,
            source: &self.source,
            facts: &self.held,
            pool: config,
            budgets: &budgets,
            deadline: &worker.deadlines.register(),
            due: &due,
            account: None,
        };
        let answered = attempt.run(in_flight, RequestBody::none()).await;
        let answered = answered.map_err(|(failure, _)| failure.into());
        let most = self.fetch.most();
        let response = self.fetch.settle(worker, &mut self.held, answered).ok()?;
        discard(response.into_body(), most).await.ok()
    }
}
