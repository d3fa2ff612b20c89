//! Peak EWMA: of two endpoints drawn at random, the one whose response time ×
//! (requests in flight + 1) ÷ weight is smaller takes the request.
//!
//! After Finagle's `P2CPeakEwma`, which Linkerd took over. The response time is
//! a mean that jumps to a slow response at once and comes down within `decay_s`:
//! an endpoint that stalls is avoided from its first slow response on, and even
//! before that its requests in flight tell. What a new endpoint counts as, how
//! idle ones are thought of, and how failures make an endpoint slower (by the
//! share that fails, up to `penalty_ms`) is with [`Latencies`]. A new version or
//! configuration goes on from what was learned.
//!
//! Times come from the outcomes of attempts and not from `load.response-time`.
//! Both were tried: an outcome heard with each decision costs the same, within
//! what could be measured, as two more questions to the host. But the host's
//! mean knows no failures: a server that refuses every connection keeps the
//! time of its good days and, having nothing in flight, wins whenever it is
//! drawn.
//!
//! Choose it where servers are unequal or turn slow now and then, and requests
//! resemble each other. Where some requests are slow by nature, whoever happens
//! to get them is avoided for no fault: `power-of-two` and `least-connections`
//! then are steadier.

use gatewright_plugin_sdk::{
    Balancer, Candidate, ConfigError, Endpoint, Generator, Handover, Latencies, Measured, Observer,
    Outcome, Peaks, Slot, better_of_two, clock, export, load, within,
};
use serde::Deserialize;

/// The settings, every one of which may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Within how many seconds a slow response is forgotten: 1 to 3,600; 10 by
    /// default.
    pub decay_s: u32,
    /// What failures make of an endpoint's response time at most, in
    /// milliseconds: 1 to 3,600,000; 5,000 by default.
    pub penalty_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            decay_s: 10,
            penalty_ms: 5_000,
        }
    }
}

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct PeakEwma {
    pool: Measured,
    generator: Generator,
}

/// What another request would cost there, in microseconds.
fn cost(latencies: &Latencies, candidate: Candidate) -> f64 {
    let in_flight = f64::from(load::active(candidate.slot)) + 1.0;
    latencies.us(candidate.slot) * in_flight / f64::from(candidate.weight)
}

impl Balancer for PeakEwma {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        within("decay_s", config.decay_s, 1..=3_600)?;
        within("penalty_ms", config.penalty_ms, 1..=3_600_000)?;
        let decay_ns = f64::from(config.decay_s) * 1e9;
        let worst_us = f64::from(config.penalty_ms) * 1e3;
        Ok(Self {
            pool: Measured::by(Latencies::new(Peaks::Jump, decay_ns, worst_us)),
            generator: Generator::from_host(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.pool.update(endpoints);
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.pool.set_eligible(&slots);
    }

    fn pick(&mut self, _key: u64) -> Option<Slot> {
        let (candidates, latencies) = self.pool.for_attempt();
        let picked = better_of_two(candidates, &mut self.generator, |one, other| {
            cost(latencies, one) > cost(latencies, other)
        });
        picked.map(|candidate| candidate.slot)
    }
}

impl Observer for PeakEwma {
    fn observe(&mut self, outcomes: &[Outcome]) {
        self.pool.observe(outcomes, clock::now());
    }
}

impl Handover for PeakEwma {
    fn save(&mut self) -> (u32, Vec<u8>) {
        self.pool.save()
    }

    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<(), String> {
        self.pool.restore(schema, state, clock::now())
    }
}

export!(PeakEwma: balancer + observer + handover);

#[cfg(test)]
mod tests;
