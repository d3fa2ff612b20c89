//! `cargo xtask bench syscalls`: how often each proxy calls the kernel for a
//! request, and what for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;

use super::certificate;
use super::common::Common;
use super::cores::Cores;
use super::cpu;
use super::load::Target;
use super::peer::{Peer, Setting, Started};
use super::peers;
use super::programs::Programs;
use super::scenario::Scenario;
use crate::process::Process;

/// How many connections requests come on.
const CONNECTIONS: u32 = 32;

/// What it needs beside the proxies, and the Debian packages that bring it.
pub(super) const TOOLS: [(&str, &str); 1] = [("strace", "strace")];

/// What `cargo xtask bench syscalls` takes.
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
    /// What the clients do
    #[arg(long, value_enum, default_value = "plain")]
    pub(super) scenario: Scenario,
    /// How many requests to look at
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub(super) requests: u64,
    /// Look at 1,000 requests only
    #[arg(long)]
    pub(super) quick: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Calls by name, for each request.
type Calls = BTreeMap<String, f64>;

/// What was found.
#[derive(Serialize)]
pub(super) struct Report {
    scenario: Scenario,
    requests: u64,
    peers: BTreeMap<&'static str, Calls>,
}

/// Look and print.
///
/// # Errors
///
/// When a program is missing, a proxy does not start, or may not be traced.
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
    let programs = Programs::find(&arguments.peers, &arguments.common, &TOOLS)?;
    let traffic = arguments.scenario.traffic();
    let requests = if arguments.quick {
        1000
    } else {
        arguments.requests
    };
    let cores = Cores::choose()?;
    let folder = tempfile::tempdir()?;
    certificate::make(folder.path())?;
    let backends = peers::backends(traffic, cores)?;
    let setting = Setting {
        sessions: true,
        ..Setting::new(&programs, folder.path(), cores, &backends.ports, traffic)
    };
    let of_peer = |peer: &Peer| Ok((peer.name(), calls(*peer, &setting, requests)?));
    Ok(Report {
        scenario: arguments.scenario,
        requests,
        peers: arguments.peers.iter().map(of_peer).collect::<Result<_>>()?,
    })
}

fn calls(peer: Peer, setting: &Setting<'_>, requests: u64) -> Result<Calls> {
    let started = Started::start(peer, setting)?;
    // A gateway looks at its configuration when something changes beside it.
    let written = setting.folder.join("load");
    fs::create_dir_all(&written)?;
    let target = Target {
        traffic: setting.traffic,
        plain_port: started.plain_port,
        tls_port: started.tls_port,
        headers: &[],
        connections: CONNECTIONS,
        core: setting.cores.load,
        folder: &written,
        cipher_suite: None,
    };
    let mut clients = target.exact()?;
    clients.ask(u64::from(CONNECTIONS) * 10)?;
    let table = setting.folder.join("syscalls");
    let strace = trace(&started, setting.folder, &table)?;
    clients.ask(requests)?;
    // It writes when it is ended.
    drop(strace);
    let text = fs::read_to_string(&table).context("strace wrote nothing")?;
    let calls = text.lines().filter_map(call);
    Ok(calls
        .map(|(name, count)| (name, count / requests as f64))
        .collect())
}

/// strace, once it looks at every process of a proxy.
fn trace(started: &Started, folder: &Path, table: &Path) -> Result<Process> {
    let processes = cpu::processes(started.process.id())?;
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(table);
    for process in &processes {
        command.args(["-p", &process.to_string()]);
    }
    let mut strace = Process::start("strace", &mut command, folder)?;
    strace.printed(|said| {
        let is_attached = |process: &u32| said.contains(&format!("Process {process} attached"));
        processes.iter().all(is_attached).then(String::new)
    })?;
    Ok(strace)
}

/// A line of strace's table: share, seconds, microseconds a call, calls, errors
/// if any, name.
fn call(line: &str) -> Option<(String, f64)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let name = fields.last().filter(|name| **name != "total")?;
    fields.first()?.parse::<f64>().ok()?;
    Some(((*name).to_owned(), fields.get(3)?.parse().ok()?))
}

impl Report {
    /// Take in what was found of other proxies.
    pub(super) fn join(&mut self, other: Self) {
        self.peers.extend(other.peers);
    }

    pub(super) fn print(&self) {
        println!(
            "\nsyscalls per request: {}, {} requests",
            self.scenario.name(),
            self.requests
        );
        for (name, calls) in &self.peers {
            let mut most: Vec<_> = calls.iter().collect();
            most.sort_by(|one, other| other.1.total_cmp(one.1));
            let all: f64 = calls.values().sum();
            let named = most.iter().filter(|(_, count)| **count >= 0.01);
            let named: Vec<_> = named
                .map(|(call, count)| format!("{call} {count:.2}"))
                .collect();
            println!("{name:12} {all:>6.2}  {}", named.join(", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::call;

    #[test]
    fn what_strace_says_is_understood() {
        let line = " 45.00    0.000450           1       400           epoll_wait";
        assert_eq!(call(line), Some(("epoll_wait".to_owned(), 400.0)));
        let line = "  5.00    0.000050           1        60         5 recvfrom";
        assert_eq!(call(line), Some(("recvfrom".to_owned(), 60.0)));
        assert_eq!(
            call("100.00    0.001000           1       460         5 total"),
            None
        );
        assert_eq!(
            call("------ ----------- ----------- --------- --------- ------"),
            None
        );
        assert_eq!(
            call("% time     seconds  usecs/call     calls    errors syscall"),
            None
        );
    }
}
