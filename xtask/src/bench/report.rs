//! What a comparison of proxies found, as a table and as JSON.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::chain;
use super::figures::{Ratios, Run, disturbance, grouped, mark, median};
use super::peer::Peer;
use super::peers::{Arguments, Measured};
use super::programs::Programs;
use super::scenario::{Clients, Scenario};

/// Below this share of its core a proxy was not what limited the run.
const SATURATED: f64 = 0.9;

/// Everything that a comparison found.
#[derive(Serialize)]
pub(super) struct Report {
    scenario: Scenario,
    clients: Clients,
    connections: u32,
    body_bytes: usize,
    /// An even pace: the share of the slowest proxy's capacity.
    share: Option<f64>,
    rounds: usize,
    seconds_per_run: u64,
    versions: BTreeMap<&'static str, String>,
    /// What each agreed on with these clients, where they come over TLS.
    cipher_suites: BTreeMap<&'static str, String>,
    /// Medians and runs by proxy.
    peers: BTreeMap<&'static str, Summary>,
    /// Ours divided by each peer's.
    ratios: BTreeMap<&'static str, Ratios>,
}

/// A proxy's medians.
#[derive(Serialize)]
struct Summary {
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    cpu_us_per_request: f64,
    kernel_us_per_request: f64,
    core_busy: f64,
    load_busy: f64,
    strangers: f64,
    /// Proportional memory after the last run.
    memory_mib: f64,
    /// What Gatewright's plugins take of a request.
    decisions_us_per_request: Option<f64>,
    failed: u64,
    runs: Vec<Run>,
}

impl Summary {
    fn of(measured: Measured) -> Self {
        let runs = measured.runs;
        let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure));
        Self {
            requests_per_second: of(|run| run.requests_per_second),
            p50_us: of(|run| run.p50_us),
            p99_us: of(|run| run.p99_us),
            p999_us: of(|run| run.p999_us),
            cpu_us_per_request: of(|run| run.cpu_us_per_request),
            kernel_us_per_request: of(|run| run.kernel_us_per_request),
            core_busy: of(|run| run.core_busy),
            load_busy: of(|run| run.load_busy),
            strangers: of(|run| run.strangers),
            memory_mib: measured.memory_mib,
            decisions_us_per_request: measured.decisions_us,
            failed: runs.iter().map(|run| run.failed).sum(),
            runs,
        }
    }
}

impl Report {
    /// Put together what every proxy's runs showed.
    ///
    /// # Errors
    ///
    /// When a proxy does not tell its version.
    pub(super) fn of(
        arguments: &Arguments,
        programs: &Programs,
        all: Vec<Measured>,
    ) -> Result<Self> {
        let ours = all
            .iter()
            .find(|one| one.peer == Peer::Gatewright)
            .map(|one| one.runs.clone());
        let mut ratios = BTreeMap::new();
        let mut versions = BTreeMap::new();
        let mut cipher_suites = BTreeMap::new();
        let mut peers = BTreeMap::new();
        for one in all {
            let peer = one.peer;
            versions.insert(peer.name(), peer.version(programs)?);
            if let Some(suite) = &one.cipher_suite {
                cipher_suites.insert(peer.name(), suite.clone());
            }
            if let Some(ours) = &ours
                && peer != Peer::Gatewright
            {
                ratios.insert(peer.name(), Ratios::between(ours, &one.runs));
            }
            peers.insert(peer.name(), Summary::of(one));
        }
        Ok(Self {
            scenario: arguments.scenario,
            clients: arguments.clients,
            connections: arguments.connections(),
            body_bytes: arguments.scenario.traffic().body_bytes,
            share: arguments.share,
            rounds: arguments.rounds(),
            seconds_per_run: arguments.duration().as_secs(),
            versions,
            cipher_suites,
            peers,
            ratios,
        })
    }

    /// Whether the figures may be used.
    ///
    /// # Errors
    ///
    /// When a request failed at whichever proxy.
    pub(super) fn succeeded(&self) -> Result<()> {
        let failed: u64 = self.peers.values().map(|peer| peer.failed).sum();
        ensure!(
            failed == 0,
            "{failed} requests failed: the figures above are not to be used"
        );
        Ok(())
    }

    /// Ours divided by a peer's, where both were measured.
    pub(super) fn ratios(&self, peer: Peer) -> Option<&Ratios> {
        self.ratios.get(peer.name())
    }

    /// What a proxy answered in a second.
    pub(super) fn requests_per_second(&self, peer: Peer) -> Option<f64> {
        let summary = self.peers.get(peer.name())?;
        Some(summary.requests_per_second)
    }

    /// The least share of its core that a proxy had, where none was to wait for work.
    pub(super) fn unsaturated(&self) -> Option<f64> {
        let busy = self.peers.values().map(|peer| peer.core_busy);
        let least = busy.fold(f64::INFINITY, f64::min);
        (self.share.is_none() && least < SATURATED).then_some(least)
    }

    /// What Gatewright's plugins take of a request, marked where that is more than the
    /// default chain may; with policies there are more decisions than in that.
    pub(super) fn decisions(&self) -> Option<String> {
        let ours = self.peers.get(Peer::Gatewright.name())?;
        let took = ours.decisions_us_per_request?;
        let share = took / ours.cpu_us_per_request;
        let is_missed = share > chain::MOST && self.scenario != Scenario::Policies;
        Some(format!(
            "gatewright's decisions: {took:.2} µs a request, {}{:.1} % of its CPU time (at most {:.0})",
            mark(is_missed),
            share * 100.0,
            chain::MOST * 100.0
        ))
    }

    /// Print the table, the ratios, and what makes them worth less.
    pub(super) fn print(&self) {
        println!(
            "\n{:?}, {:?} clients, {} connections, {}-byte bodies; medians of {} runs of {} s",
            self.scenario,
            self.clients,
            self.connections,
            self.body_bytes,
            self.rounds,
            self.seconds_per_run
        );
        if let Some(share) = self.share {
            println!(
                "at an even pace of {:.0} % of the slowest proxy's capacity, times from when due",
                share * 100.0
            );
        }
        for (name, suite) in &self.cipher_suites {
            println!("{name} agreed on {suite}");
        }
        println!(
            "{:28} {:>11} {:>8} {:>8} {:>8} {:>16} {:>9} {:>10} {:>10}",
            "",
            "requests/s",
            "p50 µs",
            "p99 µs",
            "p99.9",
            "CPU µs/request",
            "in kernel",
            "core busy",
            "memory MiB"
        );
        for (name, peer) in &self.peers {
            let title = format!("{name} {}", self.versions[name]);
            println!(
                "{title:28} {:>11} {:>8.0} {:>8.0} {:>8.0} {:>16.2} {:>9.2} {:>8.0} % {:>10.1}",
                grouped(peer.requests_per_second),
                peer.p50_us,
                peer.p99_us,
                peer.p999_us,
                peer.cpu_us_per_request,
                peer.kernel_us_per_request,
                peer.core_busy * 100.0,
                peer.memory_mib,
            );
        }
        for (name, ratios) in &self.ratios {
            println!(
                "gatewright / {name}: CPU per request {:.2}, requests/s {:.2}, p50 {:.2}, p99 {:.2}, p99.9 {:.2}",
                ratios.cpu_per_request,
                ratios.requests_per_second,
                ratios.p50,
                ratios.p99,
                ratios.p999,
            );
        }
        if let Some(decisions) = self.decisions() {
            println!("{decisions}");
        }
        self.warn();
    }

    /// Say what makes the figures worth less.
    fn warn(&self) {
        for (name, peer) in &self.peers {
            if self.share.is_none() && peer.core_busy < SATURATED {
                println!(
                    "note: {name} had its core to {:.0} % only, clients and servers theirs to {:.0} %",
                    peer.core_busy * 100.0,
                    peer.load_busy * 100.0
                );
            }
            if let Some(note) = disturbance(name, peer.strangers) {
                println!("{note}");
            }
        }
    }
}
