//! What a gateway's prober does: checks in their turn and out of it, questions how
//! busy servers are, circuits that open and close, and slow starts.

use std::ops::Range;
use std::time::Duration;

use gatewright_model::endpoint::Endpoint;
use gatewright_model::reported::LoadReport;

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

    /// Servers that have just come are checked, whenever their turn will be.
    pub(super) fn check_at_once(&mut self, gateway: u32, servers: Range<u32>) {
        for server in servers {
            let check = Event::Check {
                gateway,
                server,
                in_turn: false,
            };
            self.agenda.plan(self.now_ns, check);
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
        let passes = self.answers_within(server, plan.timeout).is_some();
        let thinks = &mut self.gateways[gateway as usize];
        if thinks.checked(server, passes) {
            self.review(gateway);
        }
    }

    /// How long a server takes to answer a question about itself; none if that is
    /// too long, or it does not answer.
    fn answers_within(&self, server: u32, limit: Duration) -> Option<u64> {
        let ailment = self.servers[server as usize].ailment;
        let takes_ns = CHECK_NS as f64 * ailment.slow + ailment.delay_ns as f64;
        let in_time = takes_ns + 2.0 * self.latency_ns as f64 <= limit.as_nanos() as f64;
        (!ailment.is_down && in_time).then_some(takes_ns as u64)
    }

    /// Plan the first question of how busy a server is, where its pool wants to
    /// know: in any part of the interval, so that not all are asked at once.
    pub(super) fn plan_first_poll(&mut self, gateway: u32, server: u32) {
        if let Some(interval) = self.poll_interval(gateway, server) {
            let pause = interval.mul_f64(self.checks.f64());
            let poll = Event::Poll { gateway, server };
            self.agenda.plan(self.after(pause.as_nanos() as u64), poll);
        }
    }

    fn poll_interval(&self, gateway: u32, server: u32) -> Option<Duration> {
        let pool = self.fleet.pool_of(server);
        let pool = self.gateways[gateway as usize].pool(pool);
        pool.config.probe.as_ref().map(|probe| probe.interval)
    }

    /// A gateway's question how busy it is reaches a server.
    pub(super) fn poll(&mut self, gateway: u32, server: u32) {
        let Some(interval) = self.poll_interval(gateway, server) else {
            return;
        };
        let next = self.after(interval.as_nanos() as u64);
        self.agenda.plan(next, Event::Poll { gateway, server });
        if let Some(takes_ns) = self.answers_within(server, interval) {
            let answer = Event::Reported {
                gateway,
                server,
                report: self.servers[server as usize].says(),
            };
            let way_ns = takes_ns.saturating_add(self.latency_ns);
            self.agenda.plan(self.after(way_ns), answer);
        }
    }

    /// What a server says of how busy it is reaches a gateway.
    pub(super) fn reported(&mut self, gateway: u32, server: u32, report: LoadReport) {
        let endpoints = &self.gateways[gateway as usize].endpoints;
        if let Some(endpoint) = &endpoints[server as usize] {
            let now = Duration::from_nanos(self.now_ns);
            endpoint.state.reported.note_at(report, now);
        }
    }

    /// Something has changed in what a gateway thinks of servers.
    pub(super) fn review(&mut self, gateway: u32) {
        if self.gateways[gateway as usize].review(self.now_ns) {
            self.plan_warming(gateway);
        }
    }

    pub(super) fn warm(&mut self, gateway: u32) {
        if self.gateways[gateway as usize].warm(self.now_ns) {
            self.plan_warming(gateway);
        }
    }

    fn plan_warming(&mut self, gateway: u32) {
        let step = self.after(WARM_STEP_NS);
        self.agenda.plan(step, Event::Warm(gateway));
    }

    pub(super) fn half_open(&mut self, opening: Opening) {
        let endpoint = self.endpoint(opening);
        if endpoint.is_some_and(|one| one.state.circuit.half_open(opening.number)) {
            let over = self.after(opening.lasts_ns);
            self.agenda.plan(over, Event::Widen(opening));
        } else {
            // It may have been half-open before its time, too.
            self.widen(opening);
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
