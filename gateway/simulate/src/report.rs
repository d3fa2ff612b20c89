//! What a simulation came to: a row for each policy, and what plots are made of.
//! Everything in it but the decisions' time, and the simulation's own, follows from
//! scenario and seed alone.

use std::time::Duration;

use gatewright_host::SeatCounters;
use serde::Serialize;

use crate::engine::Ran;
use crate::gateway::Gateway;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::tally::{End, row_of};

/// How finely response times are told in [`Outcome::distribution`].
const QUANTILES: [f64; 29] = [
    0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7,
    0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1.0,
];

/// What all policies of a scenario came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// What all chance came from.
    pub seed: u64,
    /// How many servers there were.
    pub servers: usize,
    /// How many gateways, and workers of each.
    pub gateways: u32,
    /// Workers of each gateway.
    pub workers: u32,
    /// The response time that users are content with, in milliseconds.
    pub objective_ms: Option<f64>,
    /// What each policy came to.
    pub policies: Vec<Outcome>,
}

/// What a policy came to. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Whose it is.
    pub policy: String,
    /// Requests that count: those that came after the warm-up.
    pub requests: u64,
    /// All that came.
    #[serde(skip)]
    pub came: u64,
    /// How long the simulation took on this machine.
    #[serde(skip)]
    pub took: Duration,
    /// The middle response time. Those of requests that were answered well or ran
    /// out of time, from the request's coming to its end, as for all others here.
    pub p50_ms: f64,
    /// What 90 % stay within.
    pub p90_ms: f64,
    /// What 99 % stay within.
    pub p99_ms: f64,
    /// What 99.9 % stay within.
    pub p999_ms: f64,
    /// The mean.
    pub mean_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// The share of all requests that were answered well within the objective.
    pub within: Option<f64>,
    /// Requests that were not answered well, whatever became of them.
    pub errors: u64,
    /// Those that ran out of time.
    pub timeouts: u64,
    /// Those that no server could take.
    pub refused: u64,
    /// Attempts beyond a request's first.
    pub retries: u64,
    /// How much of the time that they were in their pool servers worked.
    pub utilisation: Spread,
    /// The most loaded server's load over all servers' mean: requests on it while
    /// it was in its pool, for what it can do.
    pub imbalance: f64,
    /// The most requests that a server had at a time.
    pub peak: u32,
    /// Picks of a server that could not take the request.
    pub overruled: u64,
    /// Decisions that the gateway's rotation made, since the plugin had none.
    pub fallbacks: u64,
    /// Decisions in which the plugin failed.
    pub faults: u64,
    /// Things that happened in virtual time, by which the simulation's own takes
    /// longer.
    pub events: u64,
    /// Nanoseconds that a decision took on this machine; only if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_ns: Option<f64>,
    /// Response times, and the share of requests that stay within them.
    pub distribution: Vec<(f64, f64)>,
    /// Loads over time.
    pub load: Load,
    /// What each group of servers did.
    pub groups: Vec<Group>,
    /// Requests on servers over time, several servers a row where there are many.
    pub heat: Heat,
}

/// A figure of all servers.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The least of any server.
    pub min: f64,
    /// The most of any server.
    pub max: f64,
}

/// Requests on servers over time.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Seconds since the beginning.
    pub at_s: Vec<f64>,
    /// Requests on a server since the time before, in the mean.
    pub mean: Vec<f64>,
    /// The same on the busiest.
    pub max: Vec<f64>,
}

/// What a group of servers did.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many servers it has.
    pub servers: usize,
    /// Requests that they were given.
    pub requests: u64,
    /// The fewest and the most that one was given.
    pub fewest: u64,
    /// The most that one was given.
    pub most: u64,
    /// How much of the time that they were in their pool they worked.
    pub utilisation: f64,
}

/// Requests on servers over time.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Heat {
    /// The servers of each row.
    pub rows: Vec<String>,
    /// By row, then by time.
    pub values: Vec<Vec<f64>>,
}

impl Report {
    /// The same without what depends on the machine.
    #[must_use]
    pub fn without_timings(mut self) -> Self {
        for outcome in &mut self.policies {
            outcome.decision_ns = None;
        }
        self
    }
}

impl Outcome {
    /// What was counted, in figures.
    pub(crate) fn of(policy: &str, scenario: &Scenario, ran: Ran) -> Self {
        let Ran {
            tally,
            servers,
            gateways,
            events,
            took,
        } = ran;
        let ms = |quantile: f64| rounded(tally.times.value_at_quantile(quantile) as f64 / 1e6);
        let requests: u64 = tally.ends.iter().sum();
        let within = scenario
            .objective
            .map(|_| tally.within as f64 / requests.max(1) as f64);
        let counters = || gateways.iter().flat_map(Gateway::seat_counters);
        Self {
            policy: policy.to_owned(),
            requests,
            came: tally.came,
            took,
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            mean_ms: rounded(tally.times.mean() / 1e6),
            max_ms: rounded(tally.times.max() as f64 / 1e6),
            within,
            errors: requests - tally.count(End::Well),
            timeouts: tally.count(End::TimedOut),
            refused: tally.count(End::NoServer),
            retries: tally.retries,
            utilisation: utilisation(&servers),
            imbalance: imbalance(&servers),
            peak: servers
                .iter()
                .map(|one| one.figures.peak)
                .max()
                .unwrap_or(0),
            overruled: gateways.iter().map(|gateway| gateway.overruled).sum(),
            fallbacks: gateways.iter().map(|gateway| gateway.fallbacks).sum(),
            faults: counters().map(faults).sum(),
            events,
            decision_ns: decision_ns(counters()),
            distribution: QUANTILES.map(|quantile| (ms(quantile), quantile)).into(),
            groups: groups(scenario, &servers),
            heat: Heat {
                rows: row_names(scenario, &servers, tally.samples.rows.len()),
                values: tally.samples.rows.into_iter().map(thousandths).collect(),
            },
            load: Load {
                at_s: tally.samples.at,
                mean: thousandths(tally.samples.mean),
                max: thousandths(tally.samples.most),
            },
        }
    }
}

/// Figures to a thousandth, which is what a picture shows.
fn thousandths(figures: Vec<f64>) -> Vec<f64> {
    figures.into_iter().map(rounded).collect()
}

/// To whole microseconds, which is more than the histogram tells apart.
fn rounded(ms: f64) -> f64 {
    libm::round(ms * 1000.0) / 1000.0
}

/// Utilisation of those servers that were there.
fn utilisation(servers: &[Server]) -> Spread {
    let all = servers.iter().filter_map(Server::utilisation);
    let count = all.clone().count().max(1);
    Spread {
        mean: all.clone().sum::<f64>() / count as f64,
        min: all.clone().reduce(f64::min).unwrap_or(0.0),
        max: all.fold(0.0, f64::max),
    }
}

fn imbalance(servers: &[Server]) -> f64 {
    let loads = servers.iter().filter_map(Server::relative_load);
    let mean = loads.clone().sum::<f64>() / loads.clone().count().max(1) as f64;
    match mean > 0.0 {
        true => loads.fold(0.0, f64::max) / mean,
        false => 1.0,
    }
}

fn faults(counters: &SeatCounters) -> u64 {
    let kinds = [
        &counters.trapped,
        &counters.overran,
        &counters.out_of_memory,
        &counters.impossible,
        &counters.vacant,
        &counters.capped,
        &counters.quarantined,
    ];
    kinds.iter().map(|kind| kind.get()).sum()
}

fn decision_ns<'a>(counters: impl Iterator<Item = &'a SeatCounters>) -> Option<f64> {
    let (mut samples, mut taken) = (0, 0);
    for one in counters {
        samples += one.samples.get();
        taken += one.sampled_ns.get();
    }
    (samples > 0).then(|| taken as f64 / samples as f64)
}

fn groups(scenario: &Scenario, servers: &[Server]) -> Vec<Group> {
    let groups = scenario.servers.iter().enumerate();
    let groups = groups.map(|(index, group)| {
        let first = index_of_first(scenario, index);
        let of_it = &servers[first..first + group.count as usize];
        let given = || of_it.iter().map(|one| one.figures.requests);
        Group {
            name: group.name.clone(),
            servers: group.count as usize,
            requests: given().sum(),
            fewest: given().min().unwrap_or(0),
            most: given().max().unwrap_or(0),
            utilisation: utilisation(of_it).mean,
        }
    });
    groups.collect()
}

/// The first server of a group.
fn index_of_first(scenario: &Scenario, group: usize) -> usize {
    let before = &scenario.servers[..group];
    before.iter().map(|group| group.count as usize).sum()
}

fn row_names(scenario: &Scenario, servers: &[Server], rows: usize) -> Vec<String> {
    let name = |server: usize| {
        let group = servers[server].group as usize;
        let number = server - index_of_first(scenario, group);
        format!("{}[{number}]", scenario.servers[group].name)
    };
    let names = (0..rows).map(|row| {
        let part = row_of(row, rows, servers.len());
        match part.len() {
            1 => name(part.start),
            _ => format!("{} to {}", name(part.start), name(part.end - 1)),
        }
    });
    names.collect()
}
