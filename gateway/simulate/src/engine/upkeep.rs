//! What a gateway's prober does: checks in their turn and out of it, circuits that
//! open and close, and slow starts.

use gatewright_model::endpoint::Endpoint;

use super::Engine;
use crate::agenda::{Event, Opening};

/// From one step of a slow start to the next.
const WARM_STEP_NS: u64 = 50_000_000;

/// How long a server without an ailment takes to answer a check.
const CHECK_NS: u64 = 1_000_000;

impl Engine<'_> {
    /// Plan the first check of a server: in any part of the interval, so that not
    /// all are checked at once.
    pub(super) fn plan_first_check(&mut self, gateway: u32, server: u32) {
        let pool = self.fleet.pool_of(server);
        let plan = &self.gateways[gateway as usize].pool(pool).config.health;
        if let Some(plan) = plan {
            let pause = plan.interval.mul_f64(self.checks.f64());
            let check = Event::Check {
                gateway,
                server,
                in_turn: true,
            };
            self.agenda.plan(self.after(pause.as_nanos() as u64), check);
        }
    }

    /// A gateway checks a server.
    pub(super) fn check(&mut self, gateway: u32, server: u32, in_turn: bool) {
        let pool = self.fleet.pool_of(server);
        let thinks = &mut self.gateways[gateway as usize];
        let Some(plan) = thinks.pool(pool).config.health.clone() else {
            return;
        };
        if in_turn {
            let pause = plan.pause(self.checks.f64());
            let again = Event::Check {
                gateway,
                server,
                in_turn,
            };
            self.agenda.plan(self.after(pause.as_nanos() as u64), again);
        } else {
            thinks.opinions[server as usize].is_suspect = false;
        }
        let ailment = self.servers[server as usize].ailment;
        let takes_ns = CHECK_NS as f64 * ailment.slow + ailment.delay_ns as f64;
        let in_time = takes_ns + 2.0 * self.latency_ns as f64 <= plan.timeout.as_nanos() as f64;
        let thinks = &mut self.gateways[gateway as usize];
        if thinks.checked(server, !ailment.is_down && in_time) {
            self.review(gateway);
        }
    }

    /// Something has changed in what a gateway thinks of servers.
    pub(super) fn review(&mut self, gateway: u32) {
        if self.gateways[gateway as usize].review(self.now_ns) {
            self.agenda
                .plan(self.after(WARM_STEP_NS), Event::Warm(gateway));
        }
    }

    pub(super) fn warm(&mut self, gateway: u32) {
        if self.gateways[gateway as usize].warm(self.now_ns) {
            self.agenda
                .plan(self.after(WARM_STEP_NS), Event::Warm(gateway));
        }
    }

    pub(super) fn half_open(&mut self, opening: Opening) {
        let endpoint = self.endpoint(opening);
        if endpoint.is_some_and(|one| one.state.circuit.half_open(opening.number)) {
            let over = self.after(opening.lasts_ns);
            self.agenda.plan(over, Event::Widen(opening));
        }
    }

    pub(super) fn widen(&mut self, opening: Opening) {
        if let Some(endpoint) = self.endpoint(opening) {
            endpoint.state.circuit.widen(opening.number);
        }
    }

    fn endpoint(&self, of: Opening) -> Option<&Endpoint> {
        let gateway = &self.gateways[of.gateway as usize];
        gateway.endpoints[of.server as usize].as_deref()
    }
}
