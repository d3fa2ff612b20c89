//! The guard of one attempt: counts it in, and out again when it is dropped,
//! however the attempt ends.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use gatewright_host::{Ending, Outcome};
use gatewright_model::circuit::Permit;
use gatewright_model::pool::Pool;
use gatewright_model::room::Entry;

use super::Upstream;
use crate::admit::Admitted;
use crate::breaker::{self, Verdict};
use crate::worker::Worker;

/// Switching Protocols.
const SWITCHED: u16 = 101;

/// One attempt in flight on an endpoint.
pub(crate) struct InFlight {
    worker: Rc<Worker>,
    upstream: Rc<Upstream>,
    /// As what it was counted in.
    entry: Entry,
    /// Who is to be told of the outcome; none where nobody listens.
    observers: Option<Observers>,
    started: Instant,
    ending: Ending,
    status: u16,
    micros: Option<u32>,
    /// If the server's circuit is not closed.
    permit: Option<Permit>,
    /// Whether the server's circuit has been told of it.
    is_judged: bool,
}

/// Who is to be told how an attempt ended.
pub(crate) struct Observers {
    /// Whose plugins.
    pub(crate) pool: Arc<Pool>,
    /// What settled which of them decided.
    pub(crate) lot: Option<u32>,
}

impl InFlight {
    /// Guard an attempt that has been counted in and began at `started`.
    pub(crate) fn enter(
        worker: &Rc<Worker>,
        admitted: Admitted,
        observers: Option<Observers>,
        started: Instant,
    ) -> Self {
        let Admitted {
            upstream,
            entry,
            permit,
        } = admitted;
        upstream.counters().requests.add(1);
        Self {
            worker: Rc::clone(worker),
            permit,
            upstream,
            entry,
            observers,
            started,
            ending: Ending::Abandoned,
            status: 0,
            micros: None,
            is_judged: false,
        }
    }

    /// The endpoint's side of it.
    pub(crate) fn upstream(&self) -> &Rc<Upstream> {
        &self.upstream
    }

    /// Whether its ending decides if the server's circuit closes.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.permit.is_some()
    }

    /// A response head arrived.
    pub(crate) fn responded(&mut self, status: u16, now: Instant) {
        let micros = micros(now - self.started);
        self.status = status;
        self.upstream.answered();
        self.micros = Some(micros);
        let counters = self.upstream.counters();
        counters.responded(micros);
        if status >= 500 {
            counters.failures.add(1);
        }
        // A tunnel may be open for days, and a trial should not take long.
        if self.permit.is_some() || status == SWITCHED {
            self.judge(Ending::Completed);
        }
    }

    /// The server has shown that it works, though there is more to come.
    pub(crate) fn proved(&mut self) {
        self.judge(Ending::Completed);
    }

    /// Tell the server's circuit of it, once.
    fn judge(&mut self, ending: Ending) {
        if !std::mem::replace(&mut self.is_judged, true) {
            let verdict = Verdict::of(ending, self.status);
            breaker::tell(&self.worker, &self.upstream, verdict, self.permit.take());
        }
    }

    /// How it ended, if not by being dropped half-way.
    pub(crate) fn ended(&mut self, ending: Ending) {
        self.ending = ending;
    }

    /// It ended without a response.
    pub(crate) fn failed(mut self, ending: Ending) {
        self.ending = ending;
        let counters = self.upstream.counters();
        // What a client does wrong says nothing of the server.
        if ending != Ending::Abandoned {
            counters.failures.add(1);
        }
        if ending == Ending::ConnectFailed {
            counters.connect_failures.add(1);
            // The prober need not wait for its interval to find out.
            self.worker.suspects.report(self.upstream.state());
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.judge(self.ending);
        let state = self.upstream.state();
        state.pool().exit(state.slot(), self.entry);
        let Some(observers) = &self.observers else {
            return;
        };
        let duration_us = micros(self.started.elapsed());
        self.worker.observe(
            &observers.pool,
            Outcome {
                slot: state.slot(),
                ending: self.ending,
                status: self.status,
                first_byte_us: self.micros.unwrap_or(duration_us),
                duration_us,
                lot: observers.lot,
            },
        );
    }
}

fn micros(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
