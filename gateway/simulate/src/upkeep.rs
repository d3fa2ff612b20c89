//! What a gateway thinks of servers: by checks, by how requests end, and how much
//! of their share they get after a change, as the gateway's prober has it.

use std::sync::Arc;
use std::time::Duration;

use gatewright_host::Ending;
use gatewright_model::circuit::{Blow, Moment, Permit, Turn};
use gatewright_model::config::Breaker;
use gatewright_model::endpoint::{Endpoint, Health};

use crate::gateway::Gateway;

/// What a gateway thinks of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opinion {
    passed: u32,
    failed: u32,
    /// A check out of turn is on its way.
    pub(crate) is_suspect: bool,
    was_well: bool,
    /// Since when it has been warming.
    warming_since_ns: Option<u64>,
}

impl Gateway {
    /// The gateway has just started: everybody is well, and nobody is new.
    pub(crate) fn settle_in(&mut self) {
        for (endpoint, opinion) in self.endpoints.iter().zip(&mut self.opinions) {
            if let Some(endpoint) = endpoint {
                endpoint.state.set_health(Health::Healthy);
                opinion.was_well = true;
            }
        }
        for pool in 0..self.pool_count() {
            self.pool(pool).review();
        }
    }

    /// A server was checked; whether that changes what is thought of it.
    pub(crate) fn checked(&mut self, server: u32, passed: bool) -> bool {
        let Some(endpoint) = &self.endpoints[server as usize] else {
            return false;
        };
        let opinion = &mut self.opinions[server as usize];
        let streak = match passed {
            true => (&mut opinion.passed, &mut opinion.failed),
            false => (&mut opinion.failed, &mut opinion.passed),
        };
        *streak.0 = streak.0.saturating_add(1);
        *streak.1 = 0;
        let Some(plan) = &endpoint.health else {
            return false;
        };
        let health = match endpoint.state.health() {
            Health::Unknown if passed => Health::Healthy,
            Health::Unknown => Health::Unhealthy,
            Health::Unhealthy if opinion.passed >= plan.rise => Health::Healthy,
            Health::Healthy if opinion.failed >= plan.fall => Health::Unhealthy,
            unchanged => unchanged,
        };
        let circuit = &endpoint.state.circuit;
        let has_changed = endpoint.state.set_health(health);
        if has_changed && health == Health::Healthy {
            // What it did before it came back says little of it now.
            circuit.half_open(circuit.openings());
        }
        has_changed
    }

    /// Someone came, left, fell ill or recovered: settle what follows. Returns
    /// whether the first of all begins to warm up.
    pub(crate) fn review(&mut self, now_ns: u64) -> bool {
        for index in 0..self.pool_count() {
            let pool = self.pool(index);
            let review = pool.review();
            if review.surplus > 0 {
                let open = |endpoint: &&Arc<Endpoint>| endpoint.state.circuit.open_since();
                let mut opened: Vec<_> =
                    pool.endpoints().filter(|one| open(one).is_some()).collect();
                opened.sort_by_key(open);
                for endpoint in opened.into_iter().take(review.surplus as usize) {
                    endpoint.state.circuit.close();
                }
                pool.review();
            }
        }
        let begins = self.watch_recoveries(now_ns);
        begins && !std::mem::replace(&mut self.is_warming, true)
    }

    /// Let those begin to warm up that have come or are well again; whether there
    /// are any.
    fn watch_recoveries(&mut self, now_ns: u64) -> bool {
        let slow_start = self.slow_start();
        let mut begins = false;
        for (endpoint, opinion) in self.endpoints.iter().zip(&mut self.opinions) {
            let Some(endpoint) = endpoint else {
                *opinion = Opinion::default();
                continue;
            };
            let is_well = endpoint.is_well();
            if is_well && !opinion.was_well && !slow_start.is_zero() {
                endpoint.state.warmth.rise(Duration::ZERO, slow_start);
                opinion.warming_since_ns = Some(now_ns);
                begins = true;
            }
            opinion.was_well = is_well;
        }
        begins
    }

    /// Give those that warm up a little more; whether anybody still does.
    pub(crate) fn warm(&mut self, now_ns: u64) -> bool {
        let slow_start = self.slow_start();
        self.is_warming = false;
        for (endpoint, opinion) in self.endpoints.iter().zip(&mut self.opinions) {
            let (Some(endpoint), Some(since)) = (endpoint, opinion.warming_since_ns) else {
                continue;
            };
            let elapsed = Duration::from_nanos(now_ns - since);
            if endpoint.state.warmth.rise(elapsed, slow_start) {
                self.is_warming = true;
            } else {
                opinion.warming_since_ns = None;
            }
        }
        self.is_warming
    }

    /// How long a slow start takes, which is the same in all pools.
    fn slow_start(&self) -> Duration {
        self.pool(0).config.slow_start
    }

    fn pool_count(&self) -> usize {
        self.chains.first().map_or(0, |chain| chain.pools.len())
    }
}

/// Tell a server's circuit how an attempt ended: no answer, a broken one and the
/// statuses of gateways are failures, other statuses from 500 errors.
pub(crate) fn judge(
    endpoint: &Endpoint,
    breaker: Option<Breaker>,
    (ending, status): (Ending, u16),
    (permit, now_ns): (Option<Permit>, u64),
) -> Option<Turn> {
    // Zero would be never.
    let now_ms = now_ns / 1_000_000 + 1;
    let now = Moment {
        steady_ms: now_ms,
        wall_ms: now_ms,
    };
    let blow = match (ending, status) {
        (Ending::Completed, 502..=504) => Some(Blow::Failure),
        (Ending::Completed, 500..) => Some(Blow::Error),
        (Ending::Completed, _) => None,
        (Ending::Abandoned, _) => return None,
        _ => Some(Blow::Failure),
    };
    let circuit = &endpoint.state.circuit;
    match (blow, permit) {
        (None, None) => {
            circuit.succeeded();
            None
        }
        (None, Some(permit)) => permit.succeeded(now),
        (Some(_), Some(permit)) => permit.failed(&breaker?, now),
        (Some(blow), None) => circuit.failed(blow, &breaker?, now),
    }
}
