//! `cargo xtask bench all`: every scenario, with what Gatewright is to reach in
//! it, and then what a request and a connection take.

mod progress;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use serde::Serialize;

use self::progress::Progress;
use super::common::Common;
use super::figures::{Ratios, mark};
use super::load::suite::CipherSuite;
use super::peer::Peer;
use super::programs::{self, Programs};
use super::report::Report;
use super::scenario::Scenario;
use super::{footprint, instructions, peers, syscalls};

/// How much of the slowest proxy's capacity response times are compared at.
const SHARE: f64 = 0.7;

/// What instructions are counted in: few servers and many, bodies either way.
const COUNTED: [Scenario; 4] = [
    Scenario::Plain,
    Scenario::Endpoints1000,
    Scenario::Body16k,
    Scenario::Post,
];

/// A ratio that Gatewright must reach, and one that it is to come to.
#[derive(Clone, Copy, Serialize)]
struct Goal {
    must: f64,
    aim: f64,
}

/// A line of the table.
struct Row {
    scenario: Scenario,
    /// None for CPU time per request with the proxy saturated; or else the 99th
    /// percentile of response times at this share of the slowest one's capacity.
    share: Option<f64>,
    haproxy: Option<Goal>,
    nginx: Option<Goal>,
}

const fn goal(must: f64, aim: f64) -> Option<Goal> {
    Some(Goal { must, aim })
}

const fn row(scenario: Scenario, haproxy: Option<Goal>, nginx: Option<Goal>) -> Row {
    Row {
        scenario,
        share: None,
        haproxy,
        nginx,
    }
}

const ROWS: [Row; 16] = [
    row(Scenario::Plain, goal(0.92, 0.80), goal(1.0, 0.88)),
    row(Scenario::TwoWorkers, goal(0.88, 0.75), goal(1.0, 0.88)),
    row(Scenario::Body16k, goal(0.85, 0.72), goal(0.92, 0.78)),
    row(Scenario::Tls, goal(0.85, 0.72), goal(0.90, 0.76)),
    row(Scenario::Http2, goal(0.88, 0.75), goal(1.0, 0.88)),
    row(Scenario::Connect, goal(1.0, 0.90), goal(1.0, 0.90)),
    row(Scenario::TlsConnect, goal(0.65, 0.55), goal(0.60, 0.50)),
    row(Scenario::TlsResume, goal(0.65, 0.55), goal(0.60, 0.50)),
    Row {
        scenario: Scenario::Plain,
        share: Some(SHARE),
        haproxy: goal(1.0, 0.8),
        nginx: goal(1.0, 0.8),
    },
    row(Scenario::Body1m, None, None),
    row(Scenario::Post, None, None),
    row(Scenario::Websocket, None, None),
    row(Scenario::Policies, None, None),
    row(Scenario::Endpoints1, None, None),
    row(Scenario::Endpoints100, None, None),
    row(Scenario::Endpoints1000, None, None),
];

/// To be cheaper than those that are programmed, too, everywhere.
const CHEAPER: Option<Goal> = goal(1.0, 1.0);

impl Row {
    fn name(&self) -> String {
        match self.share {
            None => self.scenario.name(),
            Some(share) => format!("{} p99 at {:.0} %", self.scenario.name(), share * 100.0),
        }
    }

    fn goal(&self, peer: Peer) -> Option<Goal> {
        match peer {
            Peer::Gatewright => None,
            Peer::Haproxy => self.haproxy,
            Peer::Nginx => self.nginx,
            Peer::NginxLua | Peer::Pingora => CHEAPER,
        }
    }

    fn ratio(&self, ratios: &Ratios) -> f64 {
        match self.share {
            None => ratios.cpu_per_request,
            Some(_) => ratios.p99,
        }
    }
}

/// What `cargo xtask bench all` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// Three rounds of two seconds instead of seven of five, and less of the rest
    #[arg(long)]
    quick: bool,
    /// Rounds, in each of which every proxy has one run
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Seconds of each run
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// Only these scenarios, and nothing else
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// The one cipher suite that clients over TLS offer, instead of all
    #[arg(long, value_enum)]
    cipher_suite: Option<CipherSuite>,
    /// Gatewright and the proxies that it is compared with; if none is named, all, and
    /// Pingora where it has been built before
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Peer>,
    #[command(flatten)]
    common: Common,
}

impl Arguments {
    /// Those that are named, or all that take no build of many minutes.
    fn peers(&self) -> Result<Vec<Peer>> {
        if !self.peers.is_empty() {
            return Ok(self.peers.clone());
        }
        let mut peers = Peer::value_variants().to_vec();
        if !programs::has_pingora()? {
            println!(
                "without pingora, which is not built yet: \
                 `cargo xtask bench peers --quick --peers pingora` builds it"
            );
            peers.retain(|peer| *peer != Peer::Pingora);
        }
        Ok(peers)
    }
}

/// Measure all, print each and then the table.
///
/// # Errors
///
/// When what all need is missing; once all is done, when any of it failed.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let mut peers = arguments.peers()?;
    ensure!(
        peers.contains(&Peer::Gatewright),
        "Gatewright is what the others are compared with: name it in --peers"
    );
    let is_whole = arguments.only.is_empty();
    let ours = Programs::find(&[Peer::Gatewright], &arguments.common, &[])?;
    let common = Common::of(ours.of_peer(Peer::Gatewright).to_owned());
    let mut failures = Failures::default();
    peers.retain(|peer| {
        let found = Programs::find(&[*peer], &common, &[]);
        failures.keep(peer.name(), found).is_some()
    });
    if is_whole {
        // Asked for before the scenarios have taken their time.
        let tools = [&syscalls::TOOLS[..], &instructions::TOOLS].concat();
        failures.keep("tools", Programs::find(&[], &common, &tools));
    }
    let programs = Programs::find(&peers, &common, &[])?;
    let comparison = peers::Arguments {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        quick: arguments.quick,
        cipher_suite: arguments.cipher_suite,
        common: common.clone(),
        peers: peers.clone(),
        ..peers::Arguments::parse_from(["peers"])
    };
    let is_asked = |row: &&Row| is_whole || arguments.only.contains(&row.scenario);
    let rows: Vec<_> = ROWS.iter().filter(is_asked).collect();
    let mut progress = Progress::of(&comparison, rows.len(), is_whole);
    let mut report = All::default();
    for row in rows {
        progress.begin(&row.name());
        let asked = comparison.with(row.scenario, row.share);
        let compared = peers::compare(&asked, &programs).and_then(|compared| {
            compared.print();
            compared.succeeded()?;
            Ok(compared)
        });
        if let Some(compared) = failures.keep(&row.name(), compared) {
            report.add(row, &peers, compared);
        }
    }
    if is_whole {
        report.take_apart(&comparison, &mut progress, &mut failures);
    }
    report.print(&peers);
    arguments.common.tell(&report)?;
    ensure!(failures.0.is_empty(), "{}", failures.0.join("\n"));
    Ok(())
}

/// What failed, told at once and again at the end.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    /// What came of something, unless it failed.
    fn keep<T>(&mut self, what: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(found) => Some(found),
            Err(error) => {
                let failure = format!("{what}: {error:#}");
                println!("failed: {failure}");
                self.0.push(failure);
                None
            }
        }
    }

    /// What came of looking at each proxy by itself, so that one that fails takes no
    /// other with it.
    fn keep_each<T>(
        &mut self,
        peers: &[Peer],
        what: &str,
        look: impl Fn(Vec<Peer>) -> Result<T>,
        join: fn(&mut T, T),
    ) -> Option<T> {
        let mut all: Option<T> = None;
        for peer in peers {
            let what = format!("{what} of {}", peer.name());
            let found = self.keep(&what, look(vec![*peer]));
            match (&mut all, found) {
                (Some(all), Some(found)) => join(all, found),
                (None, Some(found)) => all = Some(found),
                (_, None) => {}
            }
        }
        all
    }
}

/// Everything that was found.
#[derive(Default, Serialize)]
struct All {
    rows: Vec<Found>,
    syscalls: Option<syscalls::Report>,
    footprint: Option<footprint::Report>,
    /// By scenario.
    instructions: Vec<instructions::Report>,
}

/// A line of the table, measured.
#[derive(Serialize)]
struct Found {
    name: String,
    /// By the other proxy.
    ratios: BTreeMap<&'static str, Compared>,
    report: Report,
}

/// Ours divided by the other's.
#[derive(Serialize)]
struct Compared {
    ratio: f64,
    goal: Option<Goal>,
}

impl All {
    fn add(&mut self, row: &Row, peers: &[Peer], report: Report) {
        let compared = |peer: &Peer| {
            let compared = Compared {
                ratio: row.ratio(report.ratios(*peer)?),
                goal: row.goal(*peer),
            };
            Some((peer.name(), compared))
        };
        self.rows.push(Found {
            name: row.name(),
            ratios: peers.iter().filter_map(compared).collect(),
            report,
        });
    }

    /// What a request and a connection take, by proxy.
    fn take_apart(
        &mut self,
        comparison: &peers::Arguments,
        progress: &mut Progress,
        failures: &mut Failures,
    ) {
        let (quick, common, all) = (comparison.quick, &comparison.common, &comparison.peers);
        progress.begin("syscalls");
        let look = |peers| {
            syscalls::look(&syscalls::Arguments {
                peers,
                quick,
                common: common.clone(),
                ..syscalls::Arguments::parse_from(["syscalls"])
            })
        };
        self.syscalls = failures.keep_each(all, "syscalls", look, syscalls::Report::join);
        self.syscalls.iter().for_each(syscalls::Report::print);
        progress.begin("footprint");
        let look = |peers| {
            footprint::look(&footprint::Arguments {
                peers,
                quick,
                common: common.clone(),
                ..footprint::Arguments::parse_from(["footprint"])
            })
        };
        self.footprint = failures.keep_each(all, "footprint", look, footprint::Report::join);
        self.footprint.iter().for_each(footprint::Report::print);
        for scenario in COUNTED {
            let what = format!("instructions in {}", scenario.name());
            progress.begin(&what);
            let look = |peers| {
                instructions::count_all(&instructions::Arguments {
                    peers,
                    scenario,
                    quick,
                    common: common.clone(),
                    ..instructions::Arguments::parse_from(["instructions"])
                })
            };
            let join = instructions::Report::join;
            let counted = failures.keep_each(all, &what, look, join);
            counted.iter().for_each(instructions::Report::print);
            self.instructions.extend(counted);
        }
    }

    fn print(&self, peers: &[Peer]) {
        let others = peers.iter().filter(|peer| **peer != Peer::Gatewright);
        let others: Vec<_> = others.map(|peer| peer.name()).collect();
        println!("\ngatewright / the other: CPU per request, or p99 (must, aim)");
        print!("{:20}", "");
        for other in &others {
            print!(" {other:>20}");
        }
        println!();
        for row in &self.rows {
            print!("{:20}", row.name);
            for other in &others {
                let compared = row.ratios.get(other);
                print!(" {:>20}", compared.map_or_else(String::new, Compared::text));
            }
            if let Some(least) = row.report.unsaturated() {
                print!("  a proxy had its core to {:.0} % only", least * 100.0);
            }
            println!();
        }
        let plain = self.row(Scenario::Plain);
        if let Some(decisions) = plain.and_then(|row| row.report.decisions()) {
            println!("\nin plain, {decisions}");
        }
        self.print_scaling(peers);
    }

    /// The line of a scenario with the proxies saturated, if it was measured.
    fn row(&self, scenario: Scenario) -> Option<&Found> {
        self.rows.iter().find(|row| row.name == scenario.name())
    }

    /// What a second worker adds, where both numbers were measured.
    fn print_scaling(&self, peers: &[Peer]) {
        let (one, two) = (Scenario::Plain, Scenario::TwoWorkers);
        let (Some(one), Some(two)) = (self.row(one), self.row(two)) else {
            return;
        };
        println!("\ntwo workers' requests per second / one's");
        for peer in peers {
            let rate = |row: &Found| row.report.requests_per_second(*peer);
            if let (Some(one), Some(two)) = (rate(one), rate(two)) {
                println!("{:20} {:.2}", peer.name(), two / one);
            }
        }
    }
}

impl Compared {
    fn text(&self) -> String {
        match self.goal {
            None => format!("{:.2}", self.ratio),
            Some(Goal { must, aim }) => {
                let missed = mark(self.ratio > must);
                format!("{missed}{:.2} ({must:.2}, {aim:.2})", self.ratio)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::{Compared, Failures, Peer, goal};

    #[test]
    fn a_goal_that_is_missed_is_marked() {
        let of = |ratio, goal| Compared { ratio, goal }.text();
        assert_eq!(of(0.81, goal(0.92, 0.80)), "0.81 (0.92, 0.80)");
        assert_eq!(of(0.93, goal(0.92, 0.80)), "!0.93 (0.92, 0.80)");
        assert_eq!(of(1.5, None), "1.50");
    }

    #[test]
    fn a_proxy_that_fails_takes_no_other_with_it() {
        let mut failures = Failures::default();
        let look = |peers: Vec<Peer>| {
            if peers.contains(&Peer::Nginx) {
                bail!("it does not start");
            }
            Ok(peers)
        };
        let peers = [Peer::Gatewright, Peer::Nginx, Peer::Haproxy];
        let found = failures.keep_each(&peers, "syscalls", look, |all: &mut Vec<Peer>, more| {
            all.extend(more);
        });
        assert_eq!(found.unwrap(), [Peer::Gatewright, Peer::Haproxy]);
        assert_eq!(failures.0, ["syscalls of nginx: it does not start"]);
    }
}
