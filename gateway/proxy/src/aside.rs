//! Asking a server for what no client waits for.
//!
//! It is a request of its own, made by a task of its own: nothing of it can hold up or
//! fail another, it takes no turn of anybody who waits, and it has the time that its
//! pool has for a whole answer.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_model::pool::Pool;
use http::Response;

use crate::admit;
use crate::attempt::{Answered, Attempt};
use crate::body::Content;
use crate::connection::Client;
use crate::due::Due;
use crate::facts::Held;
use crate::failure::Failure;
use crate::request_body::RequestBody;
use crate::source::Source;
use crate::under_way::{UnderWay, Work};
use crate::upstream::{InFlight, discard};
use crate::worker::Worker;

/// A request that nobody waits for.
pub(crate) struct Aside {
    pub(crate) worker: Rc<Worker>,
    source: Rc<Source>,
    held: Held,
    pool: Arc<Pool>,
}

/// What is read of an answer, and how many bytes at the most.
pub(crate) type ToRead = (Content, usize);

impl Aside {
    /// Such a request, as if it came from this client.
    pub(crate) fn of(client: &Client, held: Held, pool: &Arc<Pool>) -> Self {
        Self {
            worker: Rc::clone(&client.worker),
            source: Rc::clone(client.source()),
            held,
            pool: Arc::clone(pool),
        }
    }

    /// Make it, unless too many of its kind are under way, let `settle` say what is to
    /// be read of what comes, which is an empty response unless there was an answer, and
    /// read that; none if any of it could not be done.
    pub(crate) async fn ask(
        mut self,
        work: Work,
        body: RequestBody,
        settle: impl FnOnce(
            &Rc<Worker>,
            &mut Held,
            Result<Answered, Failure>,
            Response<Content>,
        ) -> Option<ToRead>,
    ) -> Option<()> {
        let _under_way = UnderWay::begin(&self.worker, work)?;
        let deadline = self.worker.deadlines.register();
        let limit = self.pool.config.request_timeout;
        if !limit.is_zero() {
            deadline.arm(limit);
        }
        let exchange = async {
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
            let due = Due::after(&worker.deadlines, limit, None, Duration::ZERO);
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
            let mut response = Response::new(Content::empty());
            let answered = attempt.run(in_flight, body, &mut response).await;
            let answered = answered.map_err(|(failure, _)| failure);
            let (content, most) = settle(worker, &mut self.held, answered, response)?;
            discard(content, most).await.ok()
        };
        deadline.limit(exchange).await.ok()?
    }
}
