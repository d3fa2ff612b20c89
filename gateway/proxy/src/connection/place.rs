//! The guard that counts a connection.

use std::cell::Cell;
use std::rc::Rc;

use gatewright_model::counters::Protocol;

use crate::worker::Worker;

/// The guard of one client's place among those that are connected, and among those
/// that speak its protocol from its first request on.
pub(crate) struct Place {
    pub(super) worker: Rc<Worker>,
    speaks: Cell<Option<Protocol>>,
}

impl Place {
    /// Count one in.
    pub(crate) fn take(worker: &Rc<Worker>) -> Self {
        worker.opened();
        Self {
            worker: Rc::clone(worker),
            speaks: Cell::new(None),
        }
    }

    /// Count a request in.
    pub(super) fn asks(&self, protocol: Protocol) {
        let counters = self.worker.counters().of(protocol);
        counters.requests.add(1);
        if self.speaks.replace(Some(protocol)).is_none() {
            counters.accepted.add(1);
            counters.connections.add(1);
        }
    }

    /// Count a tunnel in that has no connection of its own, if there is room: it
    /// costs as much as one, and a client of HTTP/2 may have hundreds.
    pub(crate) fn for_tunnel(worker: &Rc<Worker>) -> Option<Self> {
        let limit = worker.current().snapshot.config.limits.connections;
        (worker.open() < limit).then(|| Self::take(worker))
    }

    /// The worker that counts.
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(protocol) = self.speaks.get() {
            self.worker.counters().of(protocol).connections.sub(1);
        }
        self.worker.closed();
    }
}
