//! Prequal: of the endpoints that are known of at the moment, those with many
//! requests in flight are hot and avoided; of the cold ones the one with the least
//! latency takes the request. Where all are hot, the one with the least in flight
//! does.
//!
//! After B. Wydrowski, R. Kleinberg, S. Rumble and A. Archer, "Load is not what
//! you should balance: Introducing Prequal" (NSDI 2024). Each pick draws `choices`
//! endpoints at random and puts what is known of them into a pool of 16 probes,
//! which later picks go by too. Hot is who has more in flight than the
//! quantile `hot_quantile` of what the others in the pool have. A probe
//! counts the requests that went by it, is forgotten after `max_age_ms`, and each
//! pick takes one out, the oldest and the worst by turns. Requests in flight are
//! for a unit of weight, which the paper does not know.
//!
//! What is known are the endpoints' own reports, through the gateway's probes,
//! where these are no older than `max_age_ms`: they include what other gateways
//! sent there. This gateway's requests since a report are added to it. All workers
//! and gateways read alike reports, and would all choose alike: so a report may
//! have twice its share of the picks, by how many picks there are for a report, and
//! counts as hot from then on. Local figures also count where they say that an
//! endpoint is far slower than is usual, or fails: what refuses requests in no time
//! may well report that it has nothing to do (the paper's "sinkholing").
//!
//! Without reports, as in a pool without `probe`, figures are local: this
//! gateway's requests in flight and the response times that this worker saw
//! ([`Latencies`]), in steps of two, which a new version or configuration goes on
//! from. The log says so once.
//!
//! Choose it for large pools of servers that share their machines with others,
//! and so slow down without having more to do, above all with several gateways
//! and probes. Two servers, or equal ones, are as well served by `power-of-two`.

mod ages;
mod probes;
mod reports;

use gatewright_plugin_sdk::{
    Balancer, ConfigError, Endpoint, Generator, Handover, Latencies, Measured, Observer, Outcome,
    Peaks, Slot, clock, export, within,
};
use serde::Deserialize;

use probes::Probes;
use reports::Reports;

/// The settings, every one of which may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many endpoints are drawn for a pick: 2 to 16; 3 by default, as in the
    /// paper.
    pub choices: u32,
    /// Above which quantile of the others' requests in flight an endpoint is hot:
    /// 0 to 1; 0.84 by default, as in the paper. 1 looks at latency alone, 0 at
    /// requests in flight alone but for the idlest.
    pub hot_quantile: f64,
    /// How old a report may be, in milliseconds: 10 to 60,000; 1,000 by default,
    /// as in the paper.
    pub max_age_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            choices: 3,
            hot_quantile: 0.84,
            max_age_ms: 1_000,
        }
    }
}

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct Prequal {
    config: Config,
    pool: Measured,
    reports: Reports,
    probes: Probes,
    generator: Generator,
}

/// Within how long local response times are forgotten, in nanoseconds: a little
/// more than the paper's probes live.
const DECAY_NS: f64 = 2e9;

/// What failures make of a local response time at most, in microseconds.
const WORST_US: f64 = 5_000_000.0;

const NANOSECONDS_A_MILLISECOND: u64 = 1_000_000;

/// Some places of so many, each another one (R. W. Floyd's algorithm, 1986).
fn places(
    some: u32,
    count: u32,
    generator: &mut Generator,
) -> impl Iterator<Item = usize> + use<'_> {
    let mut drawn = [u32::MAX; 16];
    let first = count.saturating_sub(some);
    (first..count).zip(0_usize..).map(move |(last, number)| {
        let place = generator.below(last + 1);
        let before = drawn[..number].iter();
        let is_drawn = before.fold(false, |is_drawn, other| is_drawn | (*other == place));
        drawn[number] = if is_drawn { last } else { place };
        drawn[number] as usize
    })
}

impl Balancer for Prequal {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        within("choices", config.choices, 2..=16)?;
        within("hot_quantile", config.hot_quantile, 0.0..=1.0)?;
        within("max_age_ms", config.max_age_ms, 10..=60_000)?;
        Ok(Self {
            config,
            pool: Measured::by(Latencies::new(Peaks::Average, DECAY_NS, WORST_US)),
            reports: Reports::default(),
            probes: Probes::default(),
            generator: Generator::from_host(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.reports.update(&endpoints);
        self.pool.update(endpoints);
        self.probes.clear();
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.pool.set_eligible(&slots);
        self.probes.clear();
    }

    fn pick(&mut self, _key: u64) -> Option<Slot> {
        let now_ms = clock::now() / NANOSECONDS_A_MILLISECOND;
        let at = (&self.config, now_ms);
        let all = self.pool.candidates().len();
        let (candidates, latencies) = self.pool.for_attempt();
        if candidates.len() < all {
            // Nothing that was tried may be left in the pool.
            self.probes.clear();
        }
        let oldest_ms = now_ms.saturating_sub(u64::from(self.config.max_age_ms));
        self.probes.forget_before(oldest_ms);
        let count = candidates.len() as u32;
        for place in places(self.config.choices, count, &mut self.generator) {
            let probe = self.reports.probe(candidates[place], latencies, at);
            self.probes.add(probe);
        }
        let quantile = self.config.hot_quantile;
        let slot = self.probes.choose(quantile, &mut self.generator)?;
        self.reports.picked(slot, at);
        Some(slot)
    }
}

impl Observer for Prequal {
    fn observe(&mut self, outcomes: &[Outcome]) {
        self.pool.observe(outcomes, clock::now());
    }
}

impl Handover for Prequal {
    fn save(&mut self) -> (u32, Vec<u8>) {
        self.pool.save()
    }

    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<(), String> {
        self.pool.restore(schema, state, clock::now())
    }
}

export!(Prequal: balancer + observer + handover);

#[cfg(test)]
mod tests;
