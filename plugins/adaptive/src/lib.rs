//! Adaptive: smooth weighted round robin whose weights follow the measured
//! response times (dynamic weight adjustment).
//!
//! Once every `interval_ms`, an endpoint's weight moves towards its configured
//! one × (what is usual in the pool ÷ its mean response time) × (the share of
//! its attempts that succeeded), by half the way at most and by less where few
//! attempts tell of it. It stays between `min_share` and `max_share` of the
//! configured one, so nobody is starved and everybody goes on being measured.
//! The idea is that of gRPC's client-side weighted round robin (gRFC A58), with
//! times in place of the servers' own reports; turns are given by [`Circle`].
//!
//! Times come from the outcomes of attempts, since a failure must not look like
//! a quick answer. An endpoint that was asked, has requests in flight and
//! answered none of them for an interval counts as one that takes so long. One
//! that was not asked at all goes back towards its configured weight by 2 % of it
//! a second, as what was known of it grows old. A new version or configuration
//! goes on from the weights that there were.
//!
//! Choose it where servers are unequal in ways that nobody wants to write down
//! as weights, and drift with the hours. It reacts within some seconds:
//! `peak-ewma` flees at once from a server that stalls. Each worker adjusts by
//! what it has seen itself, so give it some dozens of requests a second.
//!
//! The weights in force are gauges named `weight.` and the endpoint's id, as
//! the worker that adjusted last has them: of the first 64 endpoints that there
//! were, which is what a binding may have, and 0 for those that are gone.

mod gauges;
mod shares;

use gatewright_plugin_sdk::{
    Balancer, Candidate, Circle, ConfigError, Endpoint, Handover, Members, Observer, Outcome, Slot,
    clock, export, hash, mix, request, within,
};
use serde::Deserialize;

use gauges::Gauges;
use shares::Shares;

/// The settings, every one of which may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How often weights are adjusted, in milliseconds: 100 to 60,000; 1,000 by
    /// default.
    pub interval_ms: u32,
    /// What a weight is at least, of the configured one: 0.01 to 1; 0.1 by default.
    pub min_share: f64,
    /// What a weight is at most, of the configured one: 1 to 100; 3 by default.
    pub max_share: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval_ms: 1_000,
            min_share: 0.1,
            max_share: 3.0,
        }
    }
}

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct Adaptive {
    members: Members,
    shares: Shares,
    circle: Circle,
    /// By place among the members: what tells their marks on the circle apart.
    ties: Vec<u64>,
    gauges: Gauges,
    interval_ns: u64,
    /// When weights were adjusted; none before the first outcome.
    adjusted_at: Option<u64>,
}

/// The largest weight on the circle; all others are in proportion.
const FULL: f64 = 65_535.0;

/// The number that marks our saved state.
const SCHEMA: u32 = 0x4144_4101;

impl Adaptive {
    fn weight(&self, endpoint: &Endpoint) -> f64 {
        f64::from(endpoint.weight) * self.shares.of(endpoint.slot)
    }

    fn place_marks(&mut self) {
        let weights = self.members.eligible_endpoints();
        let heaviest = weights.map(|endpoint| self.weight(endpoint));
        let heaviest = heaviest.fold(f64::MIN_POSITIVE, f64::max);
        let marked: Vec<_> = self
            .members
            .eligible_endpoints()
            .filter_map(|endpoint| {
                let weight = (self.weight(endpoint) / heaviest * FULL).max(1.0) as u32;
                let slot = endpoint.slot;
                let tie = self.ties[self.members.place(slot)?];
                Some((Candidate { slot, weight }, tie))
            })
            .collect();
        self.circle.place(marked.into_iter());
    }

    fn show(&mut self) {
        let shares = &self.shares;
        let weight = |endpoint: &Endpoint| f64::from(endpoint.weight) * shares.of(endpoint.slot);
        self.gauges.show(self.members.endpoints(), weight);
    }
}

impl Balancer for Adaptive {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        within("interval_ms", config.interval_ms, 100..=60_000)?;
        within("min_share", config.min_share, 0.01..=1.0)?;
        within("max_share", config.max_share, 1.0..=100.0)?;
        Ok(Self {
            members: Members::default(),
            shares: Shares::between(config.min_share, config.max_share),
            circle: Circle::default(),
            ties: Vec::new(),
            gauges: Gauges::default(),
            interval_ns: u64::from(config.interval_ms) * 1_000_000,
            adjusted_at: None,
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.shares.update(&endpoints);
        let ids = endpoints.iter().map(|endpoint| endpoint.id.as_bytes());
        self.ties = ids.map(hash).collect();
        self.gauges.update();
        self.members.update(endpoints);
        self.place_marks();
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.members.set_eligible(&slots);
        self.place_marks();
    }

    fn pick(&mut self, key: u64) -> Option<Slot> {
        // Workers start at different places, by their first request.
        self.circle.begin(mix(key));
        let slot = if request::attempt() > 1 {
            self.circle.retry(&request::tried())
        } else {
            self.circle.advance()
        }?;
        self.shares.asked(slot);
        Some(slot)
    }
}

impl Observer for Adaptive {
    fn observe(&mut self, outcomes: &[Outcome]) {
        self.shares.observe(outcomes);
        let now = clock::now();
        let since = now.saturating_sub(*self.adjusted_at.get_or_insert(now));
        if since >= self.interval_ns {
            self.adjusted_at = Some(now);
            self.shares
                .adjust(self.members.endpoints(), since as f64 / 1e3);
            self.place_marks();
            self.show();
        }
    }
}

impl Handover for Adaptive {
    /// How long the turns' part is, that part, and the shares.
    fn save(&mut self) -> (u32, Vec<u8>) {
        let turns = self.circle.to_bytes();
        let length = [turns.len() as u8];
        (SCHEMA, [&length[..], &turns, &self.shares.save()].concat())
    }

    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<(), String> {
        if schema != SCHEMA {
            return Err(format!(
                "schema {schema} is not {SCHEMA}, the one known here"
            ));
        }
        let parts = state.split_first();
        let parts = parts.and_then(|(length, rest)| rest.split_at_checked((*length).into()));
        let is_restored = parts.is_some_and(|(turns, shares)| {
            self.shares.restore(shares) && self.circle.restore(turns)
        });
        if !is_restored {
            return Err("the state is damaged".into());
        }
        self.place_marks();
        Ok(())
    }
}

export!(Adaptive: balancer + observer + handover);

#[cfg(test)]
mod tests;
