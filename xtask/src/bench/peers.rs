//! `cargo xtask bench peers`: Gatewright and other proxies on the same backends,
//! one after the other in each round, each on the same core.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;

use super::backends::{Backends, Service, Takes};
use super::certificate;
use super::chain::Decided;
use super::common::Common;
use super::cores::Cores;
use super::cpu::{self, CpuTime};
use super::figures::{Run, grouped};
use super::footprint;
use super::load::suite::{self, CipherSuite};
use super::load::{Load, Target};
use super::peer::{Peer, Setting, Started};
use super::programs::Programs;
use super::report::Report;
use super::scenario::{Client, Clients, Scenario, Traffic};

/// What `cargo xtask bench peers` takes.
#[derive(Clone, Parser)]
pub(super) struct Arguments {
    /// What the clients do
    #[arg(long, value_enum, default_value = "plain")]
    pub(super) scenario: Scenario,
    /// Who the clients are, as far as sessions go
    #[arg(long, value_enum, default_value = "new")]
    pub(super) clients: Clients,
    /// Three rounds of two seconds instead of seven of five
    #[arg(long)]
    pub(super) quick: bool,
    /// Rounds, in each of which every proxy has one run
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) rounds: Option<u16>,
    /// Seconds of each run
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) seconds: Option<u64>,
    /// An even pace: this share of what the slowest of the proxies can do
    #[arg(long, value_parser = share)]
    pub(super) share: Option<f64>,
    /// Connections that the clients hold open: 32, for WebSockets 128
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) connections: Option<u32>,
    /// The one cipher suite that clients over TLS offer, instead of all
    #[arg(long, value_enum)]
    pub(super) cipher_suite: Option<CipherSuite>,
    #[command(flatten)]
    pub(super) common: Common,
    /// Only these proxies
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "gatewright,haproxy,nginx"
    )]
    pub(super) peers: Vec<Peer>,
}

impl Arguments {
    pub(super) fn rounds(&self) -> usize {
        let rounds = if self.quick { 3 } else { 7 };
        self.rounds.unwrap_or(rounds).into()
    }

    pub(super) fn connections(&self) -> u32 {
        let usual = self.scenario.traffic().connections;
        self.connections.unwrap_or(usual)
    }

    /// Those of this scenario, all else alike.
    pub(super) fn with(&self, scenario: Scenario, share: Option<f64>) -> Self {
        Self {
            scenario,
            share,
            ..self.clone()
        }
    }

    pub(super) fn duration(&self) -> Duration {
        let seconds = if self.quick { 2 } else { 5 };
        Duration::from_secs(self.seconds.unwrap_or(seconds))
    }
}

/// A share of a capacity.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if share > 0.0 && share <= 1.0 {
        Ok(share)
    } else {
        Err("not above 0 and at most 1".to_owned())
    }
}

/// Measure, print a table and, if asked, the JSON.
///
/// # Errors
///
/// When a program is missing, a proxy does not start, or a request failed.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let programs = Programs::find(&arguments.peers, &arguments.common, &[])?;
    let report = compare(arguments, &programs)?;
    report.print();
    arguments.common.tell(&report)?;
    report.succeeded()
}

/// Measure every proxy.
///
/// # Errors
///
/// When a proxy does not start or a load generator fails.
pub(super) fn compare(arguments: &Arguments, programs: &Programs) -> Result<Report> {
    Report::of(arguments, programs, measure(arguments, programs)?)
}

/// The servers that this traffic is for.
pub(super) fn backends(traffic: Traffic, cores: Cores) -> Result<Backends> {
    let service = Service {
        count: traffic.endpoints,
        body_bytes: traffic.body_bytes,
        takes: match traffic.client {
            Client::Post => Takes::Bodies,
            Client::Websocket => Takes::Messages,
            _ => Takes::Heads,
        },
    };
    Backends::start(&service, cores.load)
}

/// What a proxy showed.
pub(super) struct Measured {
    pub(super) peer: Peer,
    /// What it agrees on with these clients, where they come over TLS.
    pub(super) cipher_suite: Option<String>,
    /// In the order of the rounds.
    pub(super) runs: Vec<Run>,
    /// Proportional memory after the last of them.
    pub(super) memory_mib: f64,
    /// What Gatewright's plugins took of each request in them.
    pub(super) decisions_us: Option<f64>,
}

impl Measured {
    /// Look at what is known once all runs are done.
    fn end(&mut self, proxy: &Proxy, before: Option<&Decided>) -> Result<()> {
        let started = &proxy.started;
        self.memory_mib = footprint::memory(started.process.id())? / 1024.0;
        if let Some(before) = before {
            let requests: u64 = self.runs.iter().map(|run| run.requests).sum();
            let decided = Decided::so_far(started.admin_port)?;
            self.decisions_us = Some(decided.us_per_request(before, requests));
        }
        Ok(())
    }
}

/// Every proxy's runs.
fn measure(arguments: &Arguments, programs: &Programs) -> Result<Vec<Measured>> {
    let traffic = arguments.scenario.traffic();
    let cores = if traffic.pinned {
        Cores::choose()?
    } else {
        Cores::default()
    };
    let folder = tempfile::tempdir()?;
    certificate::make(folder.path())?;
    let backends = backends(traffic, cores)?;
    let setting = Setting {
        sessions: arguments.clients.have_sessions(),
        ..Setting::new(programs, folder.path(), cores, &backends.ports, traffic)
    };
    let mut proxies = Vec::new();
    for peer in &arguments.peers {
        let started = Started::start(*peer, &setting)?;
        proxies.push(Proxy::new(started, &setting, arguments)?);
    }
    let mut measured = Vec::new();
    for proxy in &proxies {
        measured.push(Measured {
            peer: proxy.started.peer,
            cipher_suite: proxy.agreed()?,
            runs: Vec::new(),
            memory_mib: 0.0,
            decisions_us: None,
        });
    }
    let mut slowest = f64::INFINITY;
    for proxy in &proxies {
        // Pools fill and caches warm before anything counts.
        let load = proxy.load(Duration::from_secs(1), None)?;
        slowest = slowest.min(load.requests_per_second);
    }
    let pace = arguments.share.map(|share| share * slowest);
    let decided: Vec<_> = proxies.iter().map(Proxy::decided).collect::<Result<_>>()?;
    let count = proxies.len();
    for round in 0..arguments.rounds() {
        for turn in 0..count {
            // Another one goes first in each round.
            let at = (round + turn) % count;
            let proxy = &proxies[at];
            let run = proxy.measure(arguments.duration(), pace)?;
            println!(
                "round {}/{}: {:10} {:>9} requests/s, {:.2} µs CPU per request",
                round + 1,
                arguments.rounds(),
                proxy.started.peer.name(),
                grouped(run.requests_per_second),
                run.cpu_us_per_request,
            );
            measured[at].runs.push(run);
        }
    }
    for (one, (proxy, before)) in measured.iter_mut().zip(proxies.iter().zip(&decided)) {
        one.end(proxy, before.as_ref())?;
    }
    Ok(measured)
}

/// A proxy under measurement.
pub(super) struct Proxy {
    pub(super) started: Started,
    traffic: Traffic,
    core: Option<usize>,
    folder: PathBuf,
    headers: Vec<String>,
    connections: u32,
    cipher_suite: Option<CipherSuite>,
}

impl Proxy {
    pub(super) fn new(
        started: Started,
        setting: &Setting<'_>,
        arguments: &Arguments,
    ) -> Result<Self> {
        let mut headers = Vec::new();
        if arguments.clients == Clients::Returning
            && let Some(cookie) = started.cookie()?
        {
            headers.push(format!("Cookie: {cookie}"));
        }
        // A gateway looks at its configuration when something changes beside it.
        let folder = setting.folder.join("load");
        fs::create_dir_all(&folder)?;
        Ok(Self {
            started,
            traffic: setting.traffic,
            core: setting.cores.load,
            folder,
            headers,
            connections: arguments.connections(),
            cipher_suite: arguments.cipher_suite,
        })
    }

    /// The cipher suite that it agrees on with these clients, if they come over TLS.
    fn agreed(&self) -> Result<Option<String>> {
        let client = self.traffic.client;
        if !client.is_over_tls() {
            return Ok(None);
        }
        let offered = suite::offered(client, self.cipher_suite);
        suite::agreed(self.started.tls_port, &offered)
            .with_context(|| format!("no TLS with {}", self.started.peer.name()))
            .map(Some)
    }

    /// What a gateway's plugins have decided so far; none at the others.
    fn decided(&self) -> Result<Option<Decided>> {
        match self.started.peer {
            Peer::Gatewright => Decided::so_far(self.started.admin_port).map(Some),
            _ => Ok(None),
        }
    }

    /// As fast as the answers come, or at a pace of so many a second.
    pub(super) fn load(&self, duration: Duration, pace: Option<f64>) -> Result<Load> {
        let target = Target {
            traffic: self.traffic,
            plain_port: self.started.plain_port,
            tls_port: self.started.tls_port,
            headers: &self.headers,
            connections: self.connections,
            core: self.core,
            folder: &self.folder,
            cipher_suite: self.cipher_suite,
        };
        let load = match pace {
            Some(per_second) => target.paced(per_second, duration),
            None => target.load(duration),
        };
        load.with_context(|| format!("no load on {}", self.started.peer.name()))
    }

    pub(super) fn measure(&self, duration: Duration, pace: Option<f64>) -> Result<Run> {
        let before = Times::now(self.started.process.id())?;
        let load = self.load(duration, pace)?;
        let spent = Times::now(self.started.process.id())?.since(&before);
        Ok(Run {
            requests: load.requests,
            failed: load.failed,
            requests_per_second: load.requests_per_second,
            p50_us: load.p50_us,
            p99_us: load.p99_us,
            p999_us: load.p999_us,
            cpu_us_per_request: spent.proxy * 1e6 / load.requests as f64,
            kernel_us_per_request: spent.proxy_kernel * 1e6 / load.requests as f64,
            core_busy: spent.proxy / spent.wall / f64::from(self.traffic.workers),
            load_busy: spent.load / spent.wall,
            strangers: spent.strangers / spent.wall,
        })
    }
}

/// Clocks at the start of a run.
struct Times {
    wall: Instant,
    proxy: CpuTime,
    /// This process with the backends in it, and all below it: the load generator and
    /// the proxies.
    ours: Duration,
    machine: Duration,
}

/// Seconds that a run took of each.
struct Spent {
    wall: f64,
    proxy: f64,
    proxy_kernel: f64,
    load: f64,
    strangers: f64,
}

impl Times {
    fn now(proxy: u32) -> Result<Self> {
        Ok(Self {
            wall: Instant::now(),
            proxy: cpu::of_tree(proxy)?,
            ours: cpu::of_tree(std::process::id())?.total(),
            machine: cpu::of_machine()?,
        })
    }

    fn since(&self, before: &Self) -> Spent {
        let seconds = |now: Duration, before: Duration| now.as_secs_f64() - before.as_secs_f64();
        let ours = seconds(self.ours, before.ours);
        let proxy = seconds(self.proxy.total(), before.proxy.total());
        Spent {
            wall: (self.wall - before.wall).as_secs_f64(),
            proxy,
            proxy_kernel: seconds(self.proxy.kernel, before.proxy.kernel),
            load: (ours - proxy).max(0.0),
            strangers: (seconds(self.machine, before.machine) - ours).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::Arguments;

    #[test]
    fn rounds_and_seconds_are_as_they_are_asked_for() {
        let of = |words: &[&str]| {
            let arguments = Arguments::try_parse_from(words).ok()?;
            Some((arguments.rounds(), arguments.duration()))
        };
        let seconds = Duration::from_secs;
        assert_eq!(of(&["peers"]), Some((7, seconds(5))));
        assert_eq!(of(&["peers", "--quick"]), Some((3, seconds(2))));
        let asked = ["peers", "--quick", "--rounds", "5", "--seconds", "3"];
        assert_eq!(of(&asked), Some((5, seconds(3))));
        assert_eq!(of(&["peers", "--rounds", "0"]), None);
    }
}
