//! `cargo xtask bench all`: every scenario, with what Gatewright is to reach in
//! it, and then what a request and a connection take.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use clap::Parser;
use serde::Serialize;

use super::common::Common;
use super::figures::Ratios;
use super::peer::Peer;
use super::programs::Programs;
use super::report::Report;
use super::scenario::Scenario;
use super::{footprint, instructions, peers, syscalls};

/// How much of the slowest proxy's capacity response times are compared at.
const SHARE: f64 = 0.7;

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
    /// Seconds of each run
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// Only these scenarios, and nothing else
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Gatewright and the proxies that it is compared with
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "gatewright,haproxy,nginx,nginx-lua"
    )]
    peers: Vec<Peer>,
    #[command(flatten)]
    common: Common,
}

/// Measure all, print each and then the table.
///
/// # Errors
///
/// When a program is missing, or any of it failed.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        arguments.peers.contains(&Peer::Gatewright),
        "Gatewright is what the others are compared with: name it in --peers"
    );
    let mut tools = Vec::new();
    if arguments.only.is_empty() {
        // Asked for before the scenarios have taken their hour.
        tools.extend(syscalls::TOOLS);
        tools.extend(instructions::TOOLS);
    }
    let programs = Programs::find(&arguments.peers, &arguments.common, &tools)?;
    let common = Common::of(programs.of_peer(Peer::Gatewright).to_owned());
    let comparison = peers::Arguments {
        seconds: arguments.seconds,
        quick: arguments.quick,
        common: common.clone(),
        peers: arguments.peers.clone(),
        ..peers::Arguments::parse_from(["peers"])
    };
    let mut failures = Vec::new();
    let mut report = All::default();
    for row in ROWS {
        if !arguments.only.is_empty() && !arguments.only.contains(&row.scenario) {
            continue;
        }
        println!("\n{}", row.name());
        let asked = comparison.with(row.scenario, row.share);
        let compared = peers::compare(&asked, &programs).and_then(|compared| {
            compared.print();
            compared.succeeded()?;
            Ok(compared)
        });
        match compared {
            Ok(compared) => report.add(&row, &arguments.peers, compared),
            Err(error) => failures.push(format!("{}: {error:#}", row.name())),
        }
    }
    if arguments.only.is_empty() {
        let mut keep = |what: &str, outcome: Result<()>| {
            if let Err(error) = outcome {
                failures.push(format!("{what}: {error:#}"));
            }
        };
        keep("syscalls", report.syscalls(arguments, &common));
        keep("footprint", report.footprint(arguments, &common));
        keep("instructions", report.instructions(arguments, &common));
    }
    report.print(&arguments.peers);
    arguments.common.tell(&report)?;
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Everything that was found.
#[derive(Default, Serialize)]
struct All {
    rows: Vec<Found>,
    syscalls: Option<syscalls::Report>,
    footprint: Option<footprint::Report>,
    instructions: Option<instructions::Report>,
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

    fn syscalls(&mut self, arguments: &Arguments, common: &Common) -> Result<()> {
        let asked = syscalls::Arguments {
            peers: arguments.peers.clone(),
            quick: arguments.quick,
            common: common.clone(),
            ..syscalls::Arguments::parse_from(["syscalls"])
        };
        self.syscalls.insert(syscalls::look(&asked)?).print();
        Ok(())
    }

    fn footprint(&mut self, arguments: &Arguments, common: &Common) -> Result<()> {
        let asked = footprint::Arguments {
            peers: arguments.peers.clone(),
            quick: arguments.quick,
            common: common.clone(),
            ..footprint::Arguments::parse_from(["footprint"])
        };
        self.footprint.insert(footprint::look(&asked)?).print();
        Ok(())
    }

    fn instructions(&mut self, arguments: &Arguments, common: &Common) -> Result<()> {
        let asked = instructions::Arguments {
            peers: arguments.peers.clone(),
            quick: arguments.quick,
            common: common.clone(),
            ..instructions::Arguments::parse_from(["instructions"])
        };
        let counted = instructions::count_all(&asked)?;
        self.instructions.insert(counted).print();
        Ok(())
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
            println!();
        }
    }
}

impl Compared {
    fn text(&self) -> String {
        match self.goal {
            None => format!("{:.2}", self.ratio),
            Some(Goal { must, aim }) => {
                let missed = if self.ratio > must { "!" } else { "" };
                format!("{missed}{:.2} ({must:.2}, {aim:.2})", self.ratio)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Compared, goal};

    #[test]
    fn a_goal_that_is_missed_is_marked() {
        let of = |ratio, goal| Compared { ratio, goal }.text();
        assert_eq!(of(0.81, goal(0.92, 0.80)), "0.81 (0.92, 0.80)");
        assert_eq!(of(0.93, goal(0.92, 0.80)), "!0.93 (0.92, 0.80)");
        assert_eq!(of(1.5, None), "1.50");
    }
}
