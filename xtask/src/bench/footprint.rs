//! `cargo xtask bench footprint`: what a proxy takes when it does little. How soon
//! it serves after its start, what it does when nobody asks, the memory of it and of
//! each connection that is open and idle, and whether those that are make others slow.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Serialize;

use super::certificate;
use super::common::Common;
use super::cores::Cores;
use super::cpu;
use super::figures::{Ratios, Run, disturbance, mark, median};
use super::load::line::Way;
use super::load::talk::{Kind, Pace, Talk};
use super::peer::{Peer, Setting, Started};
use super::peers::{self, Proxy};
use super::programs::Programs;
use super::scenario::Scenario;
use crate::process::Process;

/// How long after its start a proxy is left alone.
const SETTLE: Duration = Duration::from_secs(2);

/// How long connections may take to be open, all of them.
const PATIENCE: Duration = Duration::from_secs(50);

/// How many of the clients ask in a second. Proxies close what is idle for a minute,
/// and the first that has asked is to be there when all else is done.
const ASKED_A_SECOND: f64 = 2000.0;

/// Seconds in which clients over TLS connect, and ask at once: all of them together would
/// need as many connections to servers.
const TLS_SECONDS: u32 = 20;

/// Connections beside those that are counted: to servers, and of health checks.
const SPARE: u32 = 500;

/// nginx closes idle connections when less than a sixteenth of all that it may have are
/// free: for so many idle ones there has to be room for one more.
const FOR_ONE_FREE: u32 = 15;

/// Rounds of clients that ask beside idle connections, and without them.
const ROUNDS: usize = 3;

/// How soon Gatewright is to give its first answer.
const START_MS: f64 = 150.0;

/// What it is to take less of than this when nobody asks.
const IDLE_CPU_PERCENT: f64 = 0.2;

/// What an idle connection may take of memory.
const KIB: f64 = 24.0;

/// What one over TLS may.
const KIB_TLS: f64 = 40.0;

/// What `cargo xtask bench footprint` takes.
#[derive(Clone, Parser)]
pub(super) struct Arguments {
    /// The proxies to look at
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "gatewright,haproxy,nginx"
    )]
    pub(super) peers: Vec<Peer>,
    /// Idle connections, at most as many as there are ports for them
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=28_000))]
    pub(super) connections: u32,
    /// 500 connections, one second instead of ten without requests, and shorter runs
    #[arg(long)]
    pub(super) quick: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Look and print.
///
/// # Errors
///
/// When a program is missing, a proxy does not start, or closes connections.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let report = look(arguments)?;
    report.print();
    arguments.common.tell(&report)
}

/// Look at what is asked for.
///
/// # Errors
///
/// As [`run`].
pub(super) fn look(arguments: &Arguments) -> Result<Report> {
    let programs = Programs::find(&arguments.peers, &arguments.common, &[])?;
    let cores = Cores::choose()?;
    let connections = if arguments.quick {
        500
    } else {
        arguments.connections
    };
    let seconds = if arguments.quick { 1 } else { 10 };
    let load = peers::Arguments {
        seconds: Some(if arguments.quick { 1 } else { 3 }),
        ..peers::Arguments::parse_from(["peers"])
    };
    let traffic = Scenario::Plain.traffic();
    let backends = peers::backends(traffic, cores)?;
    let mut report = Report {
        connections,
        peers: BTreeMap::new(),
    };
    for peer in &arguments.peers {
        let folder = tempfile::tempdir()?;
        certificate::make(folder.path())?;
        let setting = Setting {
            most_connections: connections + connections.div_ceil(FOR_ONE_FREE) + SPARE,
            sessions: true,
            ..Setting::new(&programs, folder.path(), cores, &backends.ports, traffic)
        };
        let idle = Duration::from_secs(seconds);
        let footprint = of_peer(*peer, &setting, connections, (idle, &load))?;
        println!("looked at {}", peer.name());
        report.peers.insert(peer.name(), footprint);
    }
    Ok(report)
}

fn of_peer(
    peer: Peer,
    setting: &Setting<'_>,
    connections: u32,
    (idle, load): (Duration, &peers::Arguments),
) -> Result<Footprint> {
    // The first start fills the gateway's cache of compiled plugins.
    drop(Started::start(peer, setting)?);
    let proxy = Proxy::new(Started::start(peer, setting)?, setting, load)?;
    let started = &proxy.started;
    thread::sleep(SETTLE);
    let process = started.process.id();
    let before = cpu::of_tree(process)?.total();
    thread::sleep(idle);
    let spent = cpu::of_tree(process)?.total().saturating_sub(before);
    let at_rest = memory(process)?;
    let way = Way::plain(started.plain_port);
    let mut clients = Talk::open(&way, connections, Kind::Get, &[])?;
    // Each asks once, few at a time: connections to servers are not what is
    // looked at, and need descriptors of their own.
    clients.ask(Pace::Even {
        per_second: ASKED_A_SECOND,
        duration: Duration::from_secs_f64(f64::from(connections) / ASKED_A_SECOND),
    })?;
    let plain = of_each(started, started.plain_port, connections, at_rest)?;
    let beside = beside(&proxy, setting, load)?;
    are_open(started, started.plain_port, connections)?;
    drop(clients);
    let started_in = started.started_in;
    drop(proxy);

    let started = Started::start(peer, setting)?;
    thread::sleep(SETTLE);
    let before = memory(started.process.id())?;
    let port = started.tls_port;
    let clients = tls_clients(setting, port, connections)?;
    let tls = of_each(&started, port, connections, before)?;
    drop(clients);
    Ok(Footprint {
        start_ms: started_in.as_secs_f64() * 1e3,
        idle_cpu_percent: spent.as_secs_f64() / idle.as_secs_f64() * 100.0,
        memory_mib: at_rest / 1024.0,
        kib_per_connection: plain,
        kib_per_tls_connection: tls,
        beside,
    })
}

/// Clients ask a proxy that has idle connections, and in turn another one that has
/// none: one after the other at the same proxy would be compared with another minute.
fn beside(proxy: &Proxy, setting: &Setting<'_>, load: &peers::Arguments) -> Result<Beside> {
    let name = proxy.started.peer.name();
    let folder = tempfile::tempdir()?;
    certificate::make(folder.path())?;
    let setting = Setting {
        folder: folder.path(),
        ..*setting
    };
    let alone = Started::start(proxy.started.peer, &setting)?;
    let alone = Proxy::new(alone, &setting, load)?;
    for proxy in [proxy, &alone] {
        // Pools fill and caches warm before anything counts.
        proxy.load(Duration::from_secs(1), None)?;
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(proxy.measure(load.duration(), None)?);
        without.push(alone.measure(load.duration(), None)?);
    }
    let failed: u64 = with.iter().chain(&without).map(|run| run.failed).sum();
    ensure!(
        failed == 0,
        "{failed} requests to {name} failed beside idle connections"
    );
    Ok(Beside::of(&with, &without))
}

/// Memory of each connection to a port, in KiB, once all are open.
fn of_each(started: &Started, port: u16, connections: u32, before: f64) -> Result<f64> {
    let start = Instant::now();
    while established(port)? < connections as usize {
        ensure!(
            start.elapsed() < PATIENCE,
            "{} of {connections} connections to {} are open",
            established(port)?,
            started.peer.name()
        );
        thread::sleep(Duration::from_millis(200));
    }
    thread::sleep(SETTLE);
    let after = memory(started.process.id())?;
    are_open(started, port, connections)?;
    Ok((after - before) / f64::from(connections))
}

/// Whether connections that were looked at are there still.
fn are_open(started: &Started, port: u16, connections: u32) -> Result<()> {
    let open = established(port)?;
    ensure!(
        open >= connections as usize,
        "{} closed idle connections: {open} are left",
        started.peer.name()
    );
    Ok(())
}

/// Clients over TLS that ask once each, and do not ask again for an hour.
fn tls_clients(setting: &Setting<'_>, port: u16, connections: u32) -> Result<Process> {
    let script = setting.folder.join("once.txt");
    let line = |after_ms: u32| format!("{after_ms}\thttps://127.0.0.1:{port}/\n");
    fs::write(&script, line(0) + &line(3_600_000))?;
    let mut command = Command::new("h2load");
    command
        .args(["--h1", "--threads", "1"])
        .args(["--clients", &connections.to_string()])
        .args(["--rate", &connections.div_ceil(TLS_SECONDS).to_string()])
        .arg(format!("--timing-script-file={}", script.display()));
    Process::start("h2load", &mut command, setting.folder)
}

/// Connections of a port of the loopback address that are open.
fn established(port: u16) -> Result<usize> {
    let table = fs::read_to_string("/proc/net/tcp").context("this needs Linux's /proc")?;
    let own = format!("0100007F:{port:04X}");
    let is_open = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        // 01 is ESTABLISHED.
        fields.next() == Some(own.as_str()) && fields.nth(1) == Some("01")
    };
    Ok(table.lines().filter(is_open).count())
}

/// The proportional memory of a process and all below it, in KiB.
///
/// # Errors
///
/// When the kernel does not tell it.
pub(super) fn memory(process: u32) -> Result<f64> {
    let mut all = 0.0;
    for process in cpu::processes(process)? {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
            .context("the kernel does not tell a process's memory")?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        all += kib.context("cannot understand smaps_rollup")?;
    }
    Ok(all)
}

/// What was found.
#[derive(Serialize)]
pub(super) struct Report {
    connections: u32,
    peers: BTreeMap<&'static str, Footprint>,
}

#[derive(Serialize)]
struct Footprint {
    /// From its start to its first answer, with what it keeps of an earlier one.
    start_ms: f64,
    /// Of one core, without requests but with health checks.
    idle_cpu_percent: f64,
    /// Proportional memory before any client came.
    memory_mib: f64,
    kib_per_connection: f64,
    kib_per_tls_connection: f64,
    beside: Beside,
}

/// Clients that ask as in `plain` beside idle connections, and without them.
#[derive(Serialize)]
struct Beside {
    with: Speed,
    without: Speed,
    /// With divided by without, round by round, then the median.
    ratios: Ratios,
    /// The share of one core that others used in a round, in whichever of its two runs it
    /// was more, then the median.
    strangers: f64,
}

impl Beside {
    fn of(with: &[Run], without: &[Run]) -> Self {
        let rounds = with.iter().zip(without);
        Self {
            with: Speed::of(with),
            without: Speed::of(without),
            ratios: Ratios::between(with, without),
            strangers: median(rounds.map(|(with, without)| with.strangers.max(without.strangers))),
        }
    }
}

/// Medians of runs.
#[derive(Serialize)]
struct Speed {
    requests_per_second: f64,
    p99_us: f64,
    cpu_us_per_request: f64,
}

impl Speed {
    fn of(runs: &[Run]) -> Self {
        let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure));
        Self {
            requests_per_second: of(|run| run.requests_per_second),
            p99_us: of(|run| run.p99_us),
            cpu_us_per_request: of(|run| run.cpu_us_per_request),
        }
    }
}

impl Footprint {
    /// Its figures as the table has them, and marked, if they are to be, where they
    /// miss what is promised.
    fn cells(&self, is_held: bool) -> [String; 4] {
        let cell = |figure: f64, decimals: usize, is_missed: bool| {
            format!("{}{figure:.decimals$}", mark(is_held && is_missed))
        };
        let (plain, tls) = (self.kib_per_connection, self.kib_per_tls_connection);
        [
            cell(self.start_ms, 0, self.start_ms > START_MS),
            cell(
                self.idle_cpu_percent,
                2,
                self.idle_cpu_percent >= IDLE_CPU_PERCENT,
            ),
            cell(plain, 1, plain > KIB),
            cell(tls, 1, tls > KIB_TLS),
        ]
    }
}

impl Report {
    /// Take in what was found of other proxies.
    pub(super) fn join(&mut self, other: Self) {
        self.peers.extend(other.peers);
    }

    pub(super) fn print(&self) {
        let connections = self.connections;
        println!(
            "\nat rest, and with {connections} idle connections (! over {START_MS:.0} ms, \
             {IDLE_CPU_PERCENT} %, {KIB:.0} or {KIB_TLS:.0} KiB)"
        );
        println!(
            "{:12} {:>9} {:>11} {:>11} {:>15} {:>19}",
            "", "start ms", "idle CPU %", "memory MiB", "KiB/connection", "KiB/TLS connection"
        );
        for (name, peer) in &self.peers {
            let [start, idle, plain, tls] = peer.cells(*name == Peer::Gatewright.name());
            let memory = peer.memory_mib;
            println!("{name:12} {start:>9} {idle:>11} {memory:>11.1} {plain:>15} {tls:>19}");
        }
        println!("\nCPU µs/request and p99 µs of others beside them, and without them");
        for (name, peer) in &self.peers {
            let Beside {
                with,
                without,
                ratios,
                strangers,
            } = &peer.beside;
            println!(
                "{name:12} CPU {:.2}, without {:.2} ({:.2} of it); p99 {:.0}, without {:.0} ({:.2})",
                with.cpu_us_per_request,
                without.cpu_us_per_request,
                ratios.cpu_per_request,
                with.p99_us,
                without.p99_us,
                ratios.p99,
            );
            if let Some(note) = disturbance(name, *strangers) {
                println!("{note}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::{Beside, Footprint, Run, established, memory};

    fn run(cpu_us_per_request: f64, strangers: f64) -> Run {
        Run {
            requests: 1,
            failed: 0,
            requests_per_second: 1.0,
            p50_us: 1.0,
            p99_us: 1.0,
            p999_us: 1.0,
            cpu_us_per_request,
            kernel_us_per_request: 0.0,
            core_busy: 1.0,
            load_busy: 0.5,
            strangers,
        }
    }

    #[test]
    fn one_round_that_others_disturb_is_outvoted_and_two_are_told() {
        let (quiet, disturbed) = (run(10.0, 0.0), run(30.0, 0.5));
        let one = Beside::of(&[quiet, disturbed, quiet], &[quiet; 3]);
        assert_eq!((one.ratios.cpu_per_request, one.strangers), (1.0, 0.0));
        // Neither side by itself was disturbed more than once.
        let two = Beside::of(&[quiet, disturbed, quiet], &[disturbed, quiet, quiet]);
        assert_eq!(two.strangers, 0.5);
    }

    #[test]
    fn what_is_over_its_limit_is_marked_if_it_is_held_to_it() {
        let footprint = Footprint {
            start_ms: 150.0,
            idle_cpu_percent: 0.2,
            memory_mib: 1.0,
            kib_per_connection: 24.5,
            kib_per_tls_connection: 40.0,
            beside: Beside::of(&[], &[]),
        };
        assert_eq!(footprint.cells(true), ["150", "!0.20", "!24.5", "40.0"]);
        assert_eq!(footprint.cells(false), ["150", "0.20", "24.5", "40.0"]);
    }

    #[test]
    fn open_connections_of_a_port_are_counted() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(established(port).unwrap(), 0);
        let _clients = [0; 2].map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap());
        assert_eq!(established(port).unwrap(), 2);
    }

    #[test]
    fn a_process_has_memory() {
        assert!(memory(std::process::id()).unwrap() > 100.0);
    }
}
