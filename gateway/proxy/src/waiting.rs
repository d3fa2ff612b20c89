//! Finding a server for the next attempt: at once, or after waiting for one that
//! has room. Who waits holds its place in the pool's line and nothing else: no
//! connection to a server, and nothing that has been read of its body.
//!
//! Only a request that has not been tried yet waits, and goes behind those that
//! do: under overload, who comes again does not go before who comes for the
//! first time.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use gatewright_model::id::Slot;
use gatewright_model::pool::Pool;
use gatewright_model::queue::Place;

use crate::admit::{Unadmitted, admit, has_room_of_its_own};
use crate::current::PoolView;
use crate::deadlines::Deadline;
use crate::due::Due;
use crate::facts::Held;
use crate::failure::Failure;
use crate::respond::Denial;
use crate::upstream::InFlight;
use crate::worker::Worker;

/// What a server is sought by.
#[derive(Clone, Copy)]
pub(crate) struct Seeking<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) pool: &'a Arc<Pool>,
    pub(crate) session: Option<Slot>,
    pub(crate) deadline: &'a Deadline,
    pub(crate) due: &'a Due,
}

impl Seeking<'_> {
    /// Find a server for the next attempt, and count the attempt in.
    pub(crate) async fn find(&self, held: &mut Held) -> Result<InFlight, Denial> {
        match self.at_once(held) {
            Ok(in_flight) => Ok(in_flight),
            Err(why) => self.otherwise(held, why).await,
        }
    }

    /// Find one where none was to be found at once.
    pub(crate) async fn otherwise(
        &self,
        held: &mut Held,
        why: Unadmitted,
    ) -> Result<InFlight, Denial> {
        match why {
            // Apart, so that requests for which there is room do not carry its
            // size.
            Unadmitted::Full if held.tried.is_empty() => Box::pin(self.wait(held)).await,
            _ => Err(Denial::NoServer),
        }
    }

    /// Find one if there is one now, and count the attempt in.
    pub(crate) fn at_once(&self, held: &mut Held) -> Result<InFlight, Unadmitted> {
        // A publication may have come between two attempts.
        let now = self.worker.current();
        let view = now.still(self.pool).ok_or(Unadmitted::NoServer)?;
        let is_first = held.tried.is_empty();
        if is_first && view.pool.is_limited && self.is_behind_others(view) {
            return Err(Unadmitted::Full);
        }
        // The first attempt begins with the request: deciding takes about a
        // microsecond, and a clock call is not free.
        let started = match is_first {
            true => held.started + held.waited,
            false => Instant::now(),
        };
        let admitted = admit(self.worker, view, held, self.session, started);
        now.stir_shadows(self.worker);
        admitted
    }

    /// Whether others wait for the room that there may be.
    fn is_behind_others(&self, view: &PoolView) -> bool {
        view.pool.state.queue().is_waited_in() && !has_room_of_its_own(view, self.session)
    }

    /// Wait until a server has been decided on that has room.
    async fn wait(&self, held: &mut Held) -> Result<InFlight, Denial> {
        let line = self.pool.state.queue();
        let Some(queue) = self.pool.config.overload.queue else {
            line.refuse();
            return Err(Denial::Full);
        };
        let mut place = line.join(queue.size).ok_or(Denial::Full)?;
        self.worker.delayed();
        let patience = self.worker.deadlines.tick_after(queue.timeout);
        self.deadline.arm_at(patience.min(self.due.tick()));
        let found = poll_fn(|cx| self.poll_room(cx, &mut place, held)).await;
        match found {
            Some(Ok(in_flight)) => {
                place.served(self.is_more());
                Ok(in_flight)
            }
            // Whoever comes next finds that out too.
            Some(Err(_)) => Err(Denial::NoServer),
            None => {
                place.overdue();
                Err(match self.due.is_clients(self.deadline.now()) {
                    true => Failure::CallerTimeout.into(),
                    false => Denial::Overdue,
                })
            }
        }
    }

    /// Ready when there is room, when nobody is left that there could be any
    /// with, or (none) when it has waited for as long as it may.
    fn poll_room(
        &self,
        cx: &Context<'_>,
        place: &mut Place,
        held: &mut Held,
    ) -> Poll<Option<Result<InFlight, Unadmitted>>> {
        while place.poll_called(cx).is_ready() {
            match self.look(held) {
                Err(Unadmitted::Full) => place.keep(),
                found => return Poll::Ready(Some(found)),
            }
        }
        self.deadline.poll_passed(cx).map(|()| None)
    }

    /// Look for a server, of those that there are now.
    fn look(&self, held: &mut Held) -> Result<InFlight, Unadmitted> {
        let now = self.worker.current();
        let view = now.still(self.pool).ok_or(Unadmitted::NoServer)?;
        let admitted = admit(self.worker, view, held, self.session, Instant::now());
        now.stir_shadows(self.worker);
        admitted
    }

    /// Whether there may be room for the next one too.
    fn is_more(&self) -> bool {
        let now = self.worker.current();
        let view = now.still(self.pool);
        view.is_some_and(|view| view.pool.has_room())
    }
}
