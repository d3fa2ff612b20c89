//! `cargo xtask bench instructions`: what a request costs in instructions of user
//! space. They are counted, not timed, so that a figure is the same whatever else
//! the machine does: what to steer by, and to guard by.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use clap::Parser;
use serde::Serialize;

use super::callgrind::{self, Counted};
use super::certificate;
use super::common::Common;
use super::cores::Cores;
use super::figures::grouped;
use super::http;
use super::load::Target;
use super::metrics::Metrics;
use super::peer::{Peer, Setting, Started};
use super::peers;
use super::programs::Programs;
use super::scenario::{Clients, Scenario};

/// How many connections requests come on.
const CONNECTIONS: u32 = 8;

/// How many requests warm caches and pools, and how many are the base.
const FIRST: u64 = 400;

/// What it needs beside the proxies, and the Debian packages that bring it.
pub(super) const TOOLS: [(&str, &str); 2] =
    [("callgrind_control", "valgrind"), ("valgrind", "valgrind")];

/// What `cargo xtask bench instructions` takes.
#[derive(Clone, Parser)]
pub(super) struct Arguments {
    /// The proxies to count
    #[arg(long, value_enum, value_delimiter = ',', default_value = "gatewright")]
    pub(super) peers: Vec<Peer>,
    /// What the clients do
    #[arg(long, value_enum, default_value = "plain")]
    pub(super) scenario: Scenario,
    /// Who the clients are, as far as sessions go
    #[arg(long, value_enum, default_value = "new")]
    pub(super) clients: Clients,
    /// How many requests to count
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub(super) requests: u64,
    /// Count 400 requests only
    #[arg(long)]
    pub(super) quick: bool,
    /// Name so many functions of each proxy; gatewright's have names in a build
    /// with symbols (CARGO_PROFILE_RELEASE_STRIP=none)
    #[arg(long, default_value_t = 0)]
    pub(super) top: usize,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Count and print.
///
/// # Errors
///
/// When a program is missing, a proxy does not start, or does not answer.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let report = count_all(arguments)?;
    report.print();
    arguments.common.tell(&report)
}

/// Count what is asked for.
///
/// # Errors
///
/// As [`run`].
pub(super) fn count_all(arguments: &Arguments) -> Result<Report> {
    let programs = Programs::find(&arguments.peers, &arguments.common, &TOOLS)?;
    let folder = tempfile::tempdir()?;
    certificate::make(folder.path())?;
    let mut report = Report {
        scenario: arguments.scenario,
        clients: arguments.clients,
        requests: if arguments.quick {
            FIRST
        } else {
            arguments.requests
        },
        peers: BTreeMap::new(),
    };
    for peer in &arguments.peers {
        println!(
            "counting {}: callgrind takes most of a minute to start one",
            peer.name()
        );
        let counted = count(*peer, &report, arguments.top, &programs, folder.path())?;
        println!(
            "{}: {} per request",
            peer.name(),
            grouped(counted.instructions)
        );
        report.peers.insert(peer.name(), counted);
    }
    Ok(report)
}

fn count(
    peer: Peer,
    asked: &Report,
    top: usize,
    programs: &Programs,
    folder: &Path,
) -> Result<PerRequest> {
    let traffic = asked.scenario.traffic();
    let backends = peers::backends(traffic, Cores::default())?;
    let under = callgrind::words(folder);
    let setting = Setting {
        sessions: asked.clients.have_sessions(),
        under: &under,
        ..Setting::new(programs, folder, Cores::default(), &backends.ports, traffic)
    };
    let mut started = Started::start(peer, &setting)?;
    settle(&mut started)?;
    let headers = match asked.clients {
        Clients::Returning => started.cookie()?,
        Clients::New | Clients::Sessionless => None,
    };
    let headers: Vec<_> = headers
        .iter()
        .map(|cookie| format!("Cookie: {cookie}"))
        .collect();
    // A gateway looks at its configuration when something changes beside it.
    let written = folder.join("load");
    fs::create_dir_all(&written)?;
    let target = Target {
        traffic,
        plain_port: started.plain_port,
        tls_port: started.tls_port,
        headers: &headers,
        connections: CONNECTIONS,
        core: None,
        folder: &written,
        cipher_suite: None,
    };
    let mut clients = target.exact()?;
    // Each server has been asked by then, so that no connection to one is counted.
    clients.ask(FIRST.max(4 * traffic.endpoints as u64))?;
    let counted = Counted::begin(started.process.id(), folder, |thread| {
        peer.is_worker(thread)
    })?;
    // What does not belong to requests is in both counts, and not in their
    // difference: code that runs first, connections, what is told by then.
    clients.ask(FIRST)?;
    let base = counted.done(1)?.instructions;
    let requests = FIRST + asked.requests;
    clients.ask(requests)?;
    let all = counted.done(2)?;
    ensure!(
        all.instructions > base,
        "more was done before the requests than for them: count more"
    );
    Ok(PerRequest {
        instructions: (all.instructions - base) as f64 / asked.requests as f64,
        functions: all
            .functions()?
            .into_iter()
            .take(top)
            .map(|one| (one.name, one.instructions as f64 / requests as f64))
            .collect(),
    })
}

/// Wait until a gateway has checked each of its servers once: the first check decides,
/// and the second comes too late to mend it.
///
/// # Errors
///
/// When a compilation came to its limits under callgrind, which leaves decisions dearer;
/// or a check, which leaves fewer servers to decide between.
pub(super) fn settle(started: &mut Started) -> Result<()> {
    if started.peer != Peer::Gatewright {
        return Ok(());
    }
    ensure!(
        !started.process.said().contains("no direct lane"),
        "the gateway's plugins were not compiled whole; try again on a quiet machine"
    );
    let admin = started.admin_port;
    let is_ready = || http::get(admin, "/readyz").is_ok_and(|answer| answer.status == 200);
    started.process.until(is_ready)?;
    let metrics = Metrics::of(admin)?;
    let servers = metrics.all("gatewright_server_up");
    let down = servers.filter(|server| server.value < 1.0).count();
    ensure!(
        down == 0,
        "{down} servers did not pass their first check; try again on a quiet machine"
    );
    Ok(())
}

/// What was counted.
#[derive(Serialize)]
pub(super) struct Report {
    scenario: Scenario,
    clients: Clients,
    requests: u64,
    peers: BTreeMap<&'static str, PerRequest>,
}

/// Instructions of user space for each request.
#[derive(Serialize)]
struct PerRequest {
    instructions: f64,
    /// Of single functions, without those that they call; those with the most
    /// first.
    functions: Vec<(String, f64)>,
}

impl Report {
    /// Take in what was found of other proxies.
    pub(super) fn join(&mut self, other: Self) {
        self.peers.extend(other.peers);
    }

    pub(super) fn print(&self) {
        println!(
            "\nuser-space instructions per request: {}, {:?} clients, {} requests",
            self.scenario.name(),
            self.clients,
            self.requests
        );
        let ours = self.peers.get(Peer::Gatewright.name());
        for (name, peer) in &self.peers {
            let ratio = ours
                .filter(|_| *name != Peer::Gatewright.name())
                .map(|ours| {
                    format!(
                        "  gatewright / {name}: {:.2}",
                        ours.instructions / peer.instructions
                    )
                })
                .unwrap_or_default();
            println!("{name:12} {:>9}{ratio}", grouped(peer.instructions));
            for (function, instructions) in &peer.functions {
                println!("    {:>9}  {function}", grouped(*instructions));
            }
        }
    }
}
