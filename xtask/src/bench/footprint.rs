//! `cargo xtask bench footprint`: what a proxy takes when it does little. How soon
//! it serves after its start, what it does when nobody asks, and the memory of it
//! and of each connection that is open and idle.

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
use super::load::line::Way;
use super::load::talk::{Kind, Pace, Talk};
use super::peer::{Peer, Setting, Started};
use super::peers;
use super::programs::Programs;
use super::scenario::Scenario;
use crate::process::Process;

/// How long after its start a proxy is left alone.
const SETTLE: Duration = Duration::from_secs(2);

/// How long connections may take to be open, all of them.
const PATIENCE: Duration = Duration::from_secs(50);

/// Requests that clients over TLS have still to send when each has sent one: that is a
/// tenth of them then, which is the first that h2load tells.
const LATER: usize = 9;

/// How many of the clients ask in a second.
const ASKED_A_SECOND: f64 = 1000.0;

/// Connections beside those that are counted: to servers, and of health checks.
const SPARE: u32 = 500;

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
    /// 500 connections, and one second instead of ten without requests
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
            most_connections: connections + SPARE,
            sessions: true,
            ..Setting::new(&programs, folder.path(), cores, &backends.ports, traffic)
        };
        let footprint = of_peer(*peer, &setting, connections, Duration::from_secs(seconds))?;
        println!("looked at {}", peer.name());
        report.peers.insert(peer.name(), footprint);
    }
    Ok(report)
}

fn of_peer(
    peer: Peer,
    setting: &Setting<'_>,
    connections: u32,
    idle: Duration,
) -> Result<Footprint> {
    // The first start fills the gateway's cache of compiled plugins.
    drop(Started::start(peer, setting)?);
    let started = Started::start(peer, setting)?;
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
    let plain = of_each(&started, started.plain_port, connections, at_rest)?;
    drop(clients);
    let started_in = started.started_in;
    drop(started);

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
    })
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
    let open = established(port)?;
    ensure!(
        open >= connections as usize,
        "{} closed idle connections: {open} are left",
        started.peer.name()
    );
    Ok((after - before) / f64::from(connections))
}

/// Clients over TLS that have asked once each, and do not ask again for an hour.
fn tls_clients(setting: &Setting<'_>, port: u16, connections: u32) -> Result<Process> {
    let script = setting.folder.join("once.txt");
    let line = |after_ms: u32| format!("{after_ms}\thttps://127.0.0.1:{port}/\n");
    fs::write(&script, line(0) + &line(3_600_000).repeat(LATER))?;
    let mut command = Command::new("h2load");
    command
        .args(["--h1", "--threads", "1"])
        .args(["--clients", &connections.to_string()])
        .arg(format!("--timing-script-file={}", script.display()));
    let mut clients = Process::start("h2load", &mut command, setting.folder)?;
    clients.printed(|said| said.contains("progress: 10% done").then(String::new))?;
    Ok(clients)
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
}

impl Report {
    /// Take in what was found of other proxies.
    pub(super) fn join(&mut self, other: Self) {
        self.peers.extend(other.peers);
    }

    pub(super) fn print(&self) {
        println!("\nat rest, and with {} idle connections", self.connections);
        println!(
            "{:12} {:>9} {:>11} {:>11} {:>15} {:>19}",
            "", "start ms", "idle CPU %", "memory MiB", "KiB/connection", "KiB/TLS connection"
        );
        for (name, peer) in &self.peers {
            println!(
                "{name:12} {:>9.0} {:>11.2} {:>11.1} {:>15.1} {:>19.1}",
                peer.start_ms,
                peer.idle_cpu_percent,
                peer.memory_mib,
                peer.kib_per_connection,
                peer.kib_per_tls_connection,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::{established, memory};

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
