//! Prequal: of some endpoints drawn at random, those with many requests in
//! flight are hot and avoided; of the rest the one with the least latency takes
//! the request. Where all are hot, the one with the least in flight does.
//!
//! After B. Wydrowski, R. Kleinberg, S. Rumble and A. Archer, "Load is not what
//! you should balance: Introducing Prequal" (NSDI 2024): the hot and cold
//! lexicographic rule, with hot above the quantile `hot_quantile` of the
//! requests in flight that were seen lately. Both figures count for a unit of
//! weight, which the paper does not know.
//!
//! The figures are those that the endpoints report themselves, through the
//! gateway's probes, where these are no older than `max_age_ms`: they then
//! include what other gateways sent there. Otherwise they are local: this
//! gateway's requests in flight and the response times that this worker saw
//! ([`Latencies`]). Local figures also count where they say that an endpoint is
//! far slower than is usual, or fails: what refuses requests in no time may
//! well report that it has nothing to do (the paper's "sinkholing").
//!
//! Choose it for large pools of servers that share their machines with others,
//! and so slow down without having more to do, above all with several gateways
//! and probes. Two servers, or equal ones, are as well served by `power-of-two`.

mod heat;

use gatewright_plugin_sdk::{
    Balancer, Candidate, Candidates, ConfigError, Endpoint, Generator, Latencies, Members,
    Observer, Outcome, Peaks, Slot, clock, export, load, within,
};
use serde::Deserialize;

use heat::Heat;

/// The settings, every one of which may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many endpoints are drawn for a pick: 2 to 16; 5 by default. In a
    /// pool of no more than that, all are looked at.
    pub choices: u32,
    /// Which share of the requests in flight seen lately is not hot: 0 to 1;
    /// 0.84 by default, as in the paper. 1 looks at latency alone, 0 at
    /// requests in flight alone but for the idlest.
    pub hot_quantile: f64,
    /// How old a report may be, in milliseconds: 10 to 60,000; 1,000 by default.
    pub max_age_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            choices: 5,
            hot_quantile: 0.84,
            max_age_ms: 1_000,
        }
    }
}

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct Prequal {
    config: Config,
    members: Members,
    candidates: Candidates,
    latencies: Latencies,
    heat: Heat,
    generator: Generator,
}

/// Within how long local response times are forgotten, in nanoseconds: a little
/// more than the paper's probes live.
const DECAY_NS: f64 = 2e9;

/// What failures make of a local response time at most, in microseconds.
const WORST_US: f64 = 5_000_000.0;

/// How many times as slow as is usual an endpoint has to be, as seen from here,
/// for its own report to be doubted.
const DOUBT: f64 = 4.0;

/// What is known of an endpoint, for a unit of its weight.
#[derive(Clone, Copy)]
struct Figures {
    slot: Slot,
    in_flight: f64,
    latency_us: f64,
}

impl Figures {
    fn of(candidate: Candidate, latencies: &Latencies, max_age_ms: u32) -> Self {
        let local_us = latencies.us(candidate.slot);
        let active = load::active(candidate.slot);
        let report = load::reported(candidate.slot);
        let report = report.filter(|report| report.age_ms <= max_age_ms);
        let (in_flight, latency_us) = match report {
            // What was sent there since the report is in the local count alone.
            Some(report) if local_us <= DOUBT * latencies.usual_us() => {
                (report.in_flight.max(active), f64::from(report.latency_us))
            }
            Some(report) => (report.in_flight.max(active), local_us),
            None => (active, local_us),
        };
        let weight = f64::from(candidate.weight);
        Self {
            slot: candidate.slot,
            in_flight: f64::from(in_flight) / weight,
            latency_us: latency_us / weight,
        }
    }

    /// The hot and cold lexicographic rule; of two equally good ones the first.
    fn is_better_than(&self, other: &Self, hot_above: f64) -> bool {
        match (self.in_flight > hot_above, other.in_flight > hot_above) {
            (false, true) => true,
            (true, false) => false,
            (true, true) => self.in_flight < other.in_flight,
            // Where latencies tell nothing, load does.
            (false, false) => {
                (self.latency_us, self.in_flight) < (other.latency_us, other.in_flight)
            }
        }
    }
}

impl Balancer for Prequal {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        within("choices", config.choices, 2..=16)?;
        within("hot_quantile", config.hot_quantile, 0.0..=1.0)?;
        within("max_age_ms", config.max_age_ms, 10..=60_000)?;
        Ok(Self {
            heat: Heat::above(config.hot_quantile),
            config,
            members: Members::default(),
            candidates: Candidates::default(),
            latencies: Latencies::new(Peaks::Average, DECAY_NS, WORST_US),
            generator: Generator::from_host(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.latencies.update(&endpoints);
        self.members.update(endpoints);
        self.candidates.gather(self.members.eligible_endpoints());
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.members.set_eligible(&slots);
        self.candidates.gather(self.members.eligible_endpoints());
    }

    fn pick(&mut self, _key: u64) -> Option<Slot> {
        let candidates = self.candidates.for_attempt();
        let count = candidates.len() as u32;
        let look_at_all = count <= self.config.choices;
        let start = self.generator.below(count);
        let mut best: Option<Figures> = None;
        for step in 0..self.config.choices.min(count) {
            let place = if look_at_all {
                (start + step) % count
            } else {
                self.generator.below(count)
            };
            let candidate = candidates[place as usize];
            let figures = Figures::of(candidate, &self.latencies, self.config.max_age_ms);
            let hot_above = self.heat.note(figures.in_flight);
            if best.is_none_or(|best| figures.is_better_than(&best, hot_above)) {
                best = Some(figures);
            }
        }
        best.map(|figures| figures.slot)
    }
}

impl Observer for Prequal {
    fn observe(&mut self, outcomes: &[Outcome]) {
        self.latencies.observe(outcomes, clock::now());
    }
}

export!(Prequal: balancer + observer);

#[cfg(test)]
mod tests;
