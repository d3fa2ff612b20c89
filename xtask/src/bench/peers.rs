//! `cargo xtask bench peers`: Gatewright, HAProxy and nginx on the same
//! backends, one after the other in each round, each on the same core.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;

use super::backends::Backends;
use super::certificate;
use super::cores::Cores;
use super::cpu::{self, CpuTime};
use super::figures::{Run, grouped};
use super::peer::{Peer, Setting, Started};
use super::report::Report;
use super::scenario::{Clients, Scenario};
use super::wrk::{Load, Wrk};
use crate::tools;

/// The programs that are needed, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 5] = [
    ("haproxy", "haproxy"),
    ("nginx", "nginx"),
    ("openssl", "openssl"),
    ("taskset", "util-linux"),
    ("wrk", "wrk"),
];

/// What `cargo xtask bench peers` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// What the clients do
    #[arg(long, value_enum, default_value = "plain")]
    pub(super) scenario: Scenario,
    /// Who the clients are, as far as sessions go
    #[arg(long, value_enum, default_value = "new")]
    pub(super) clients: Clients,
    /// Three rounds of two seconds instead of seven of five
    #[arg(long)]
    quick: bool,
    /// End with one line of JSON
    #[arg(long)]
    json: bool,
    /// Connections that the clients hold open
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) connections: u32,
    /// The gateway's program (default: a release build of these sources)
    #[arg(long)]
    gatewright: Option<PathBuf>,
    /// Only these proxies
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "gatewright,haproxy,nginx"
    )]
    peers: Vec<Peer>,
}

impl Arguments {
    pub(super) fn rounds(&self) -> usize {
        if self.quick { 3 } else { 7 }
    }

    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 5 })
    }
}

/// Measure, print a table and, if asked, the JSON.
///
/// # Errors
///
/// When a program is missing, a proxy does not start, or a request failed.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    tools::need_programs(&PROGRAMS)?;
    let gatewright = if arguments.peers.contains(&Peer::Gatewright) {
        super::gatewright(arguments.gatewright.as_deref())?
    } else {
        PathBuf::new()
    };
    let report = Report::of(arguments, &gatewright, measure(arguments, &gatewright)?)?;
    report.print();
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    let failed = report.failed();
    if failed > 0 {
        bail!("{failed} requests failed: the figures above are not to be used");
    }
    Ok(())
}

/// Every proxy's runs, in the order of the rounds.
fn measure(arguments: &Arguments, gatewright: &Path) -> Result<Vec<(Peer, Vec<Run>)>> {
    let cores = Cores::choose()?;
    let folder = tempfile::tempdir()?;
    certificate::make(folder.path())?;
    let backends = Backends::start(arguments.scenario.body_bytes(), cores.load)?;
    let setting = Setting {
        gatewright,
        folder: folder.path(),
        cores,
        backends: backends.ports,
        sessions: arguments.clients.have_sessions(),
        watched: false,
        telemetry: String::new(),
    };
    let mut proxies = Vec::new();
    for peer in &arguments.peers {
        let started = Started::start(*peer, &setting)?;
        proxies.push(Proxy::new(started, arguments)?);
    }
    for proxy in &proxies {
        proxy.warm(arguments, cores)?;
    }
    let count = proxies.len();
    for round in 0..arguments.rounds() {
        for turn in 0..count {
            // Another one goes first in each round.
            let proxy = &mut proxies[(round + turn) % count];
            let run = proxy.measure(arguments, cores)?;
            println!(
                "round {}/{}: {:10} {:>9} requests/s, {:.2} µs CPU per request",
                round + 1,
                arguments.rounds(),
                proxy.started.peer.name(),
                grouped(run.requests_per_second),
                run.cpu_us_per_request,
            );
            proxy.runs.push(run);
        }
    }
    Ok(proxies
        .into_iter()
        .map(|proxy| (proxy.started.peer, proxy.runs))
        .collect())
}

/// A proxy under measurement.
pub(super) struct Proxy {
    pub(super) started: Started,
    url: String,
    headers: Vec<String>,
    runs: Vec<Run>,
}

impl Proxy {
    pub(super) fn new(started: Started, arguments: &Arguments) -> Result<Self> {
        let scenario = arguments.scenario;
        let mut headers = scenario.headers();
        if arguments.clients == Clients::Returning
            && let Some(cookie) = started.cookie()?
        {
            headers.push(format!("Cookie: {cookie}"));
        }
        Ok(Self {
            url: scenario.url(started.plain_port, started.tls_port),
            started,
            headers,
            runs: Vec::new(),
        })
    }

    /// Pools fill and caches warm before anything counts.
    pub(super) fn warm(&self, arguments: &Arguments, cores: Cores) -> Result<()> {
        self.load(arguments, cores, Duration::from_secs(1))
            .map(drop)
    }

    fn load(&self, arguments: &Arguments, cores: Cores, duration: Duration) -> Result<Load> {
        let wrk = Wrk {
            core: cores.load,
            connections: arguments.connections,
            headers: &self.headers,
        };
        wrk.run(&self.url, duration)
            .with_context(|| format!("no load on {}", self.started.peer.name()))
    }

    pub(super) fn measure(&self, arguments: &Arguments, cores: Cores) -> Result<Run> {
        let before = Times::now(self.started.process.id())?;
        let load = self.load(arguments, cores, arguments.duration())?;
        let spent = Times::now(self.started.process.id())?.since(&before);
        Ok(Run {
            requests: load.requests,
            failed: load.failed,
            requests_per_second: load.requests_per_second,
            p50_us: load.p50_us,
            p99_us: load.p99_us,
            cpu_us_per_request: spent.proxy * 1e6 / load.requests as f64,
            kernel_us_per_request: spent.proxy_kernel * 1e6 / load.requests as f64,
            core_busy: spent.proxy / spent.wall,
            strangers: spent.strangers / spent.wall,
        })
    }
}

/// Clocks at the start of a run.
struct Times {
    wall: Instant,
    proxy: CpuTime,
    /// This process with the backends in it, and the load generator below it.
    ours: Duration,
    machine: Duration,
}

/// Seconds that a run took of each.
struct Spent {
    wall: f64,
    proxy: f64,
    proxy_kernel: f64,
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
        Spent {
            wall: (self.wall - before.wall).as_secs_f64(),
            proxy: seconds(self.proxy.total(), before.proxy.total()),
            proxy_kernel: seconds(self.proxy.kernel, before.proxy.kernel),
            strangers: (seconds(self.machine, before.machine) - ours).max(0.0),
        }
    }
}
