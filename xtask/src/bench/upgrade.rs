//! `cargo xtask bench upgrade`: another process takes over from a gateway to which
//! clients connect all the time, each for one request. Is one of them refused,
//! and how long does the slowest wait?

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::Serialize;
use serde_json::Value;

use super::common::Common;
use super::http;
use crate::process::Process;

/// Clients that connect by turns. One that has to wait holds the others up no
/// further than this many can make up for.
const CLIENTS: u32 = 16;

/// A client that has waited so long has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an upgrade may take.
const TAKING_OVER: Duration = Duration::from_secs(90);

/// What a client asks for.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What `cargo xtask bench upgrade` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// New connections a second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Seconds of traffic before the upgrade, and again after it
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// How many workers there are
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    #[command(flatten)]
    common: Common,
}

/// Measure and print.
///
/// # Errors
///
/// When nobody takes over, or a client was refused or not answered.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let gatewright = arguments.common.program()?;
    let report = measure(arguments, &gatewright)?;
    report.print(arguments);
    arguments.common.tell(&report)?;
    let lost = report.refused + report.failed;
    ensure!(lost == 0, "{lost} clients were not served");
    Ok(())
}

fn measure(arguments: &Arguments, gatewright: &Path) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let server = TcpListener::bind("127.0.0.1:0")?;
    let server_port = server.local_addr()?.port();
    let text = configuration(arguments.workers, server_port);
    fs::write(folder.path().join("gatewright.toml"), text)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| answer_all(scope, &server));
        let measured = under_load(arguments, gatewright, folder.path(), &stop);
        stop.store(true, Ordering::Relaxed);
        // Its last client tells the server to end.
        if let Ok(mut stream) = TcpStream::connect(server.local_addr()?) {
            stream.write_all(b"end")?;
        }
        measured
    })
}

fn configuration(workers: u16, server: u16) -> String {
    format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n\n[workers]\ncount = {workers}\n\n\
         [[listener]]\nlisten = \"127.0.0.1:0\"\n\n\
         [pools.web]\nhealth = false\nservers = [\"127.0.0.1:{server}\"]\n"
    )
}

/// Traffic, an upgrade in its middle, and what came of both.
fn under_load(
    arguments: &Arguments,
    gatewright: &Path,
    folder: &Path,
    stop: &AtomicBool,
) -> Result<Report> {
    let mut command = Command::new(gatewright);
    command.arg("run").current_dir(folder).env("NO_COLOR", "1");
    let mut process = Process::start("gatewright", &mut command, folder)?;
    let admin = process.printed(|said| port(said, " admin listening address=127.0.0.1:"))?;
    let plain = process.printed(|said| port(said, ": listening address=127.0.0.1:"))?;
    process.printed(|said| said.contains(" ready workers=").then(String::new))?;
    let address = SocketAddr::from(([127, 0, 0, 1], plain.parse()?));
    let span = Duration::from_secs(arguments.seconds.into());
    let tally = Tally::default();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let tally = &tally;
            scope.spawn(move || connect_often(arguments.rate, client, address, (tally, stop)));
        }
        std::thread::sleep(span);
        let began = Instant::now();
        let upgraded = upgrade(admin.parse()?);
        let taken = began.elapsed();
        if upgraded.is_ok() {
            std::thread::sleep(span);
        }
        stop.store(true, Ordering::Relaxed);
        upgraded.map(|successor| (successor, taken))
    })
    .map(|(_successor, taken)| tally.report(taken))
}

/// Have another process take over.
fn upgrade(admin: u16) -> Result<Successor> {
    let kind = ("application/json", &b""[..]);
    let answer = http::send(admin, ("POST", "/api/upgrade"), kind, TAKING_OVER)?;
    let told: Value = serde_json::from_str(&answer.body)?;
    let process = told["data"]["process"].as_i64();
    let process = process.and_then(|process| Pid::from_raw(i32::try_from(process).ok()?));
    match process {
        Some(process) => Ok(Successor(process)),
        None => bail!("no process has taken over: {told}"),
    }
}

/// The process that has taken over; dropping it ends it.
struct Successor(Pid);

impl Drop for Successor {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = kill_process(self.0, Signal::TERM);
        let until = Instant::now() + PATIENCE;
        while test_kill_process(self.0).is_ok() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The port after a mark in what was printed.
fn port(said: &str, mark: &str) -> Option<String> {
    let (_, rest) = said.split_once(mark)?;
    let (port, _) = rest.split_once('\n')?;
    Some(port.trim().to_owned())
}

/// Be one of the clients: connect whenever it is one's turn.
fn connect_often(
    rate: u32,
    client: u32,
    address: SocketAddr,
    (tally, stop): (&Tally, &AtomicBool),
) {
    let between = Duration::from_secs(1) * CLIENTS / rate;
    let mut due = Instant::now() + between * client / CLIENTS;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        tally.count(due, ask(address));
        due += between;
    }
}

/// What became of a client.
#[derive(Clone, Copy)]
enum Outcome {
    Answered,
    Refused,
    Failed,
}

fn ask(address: SocketAddr) -> Outcome {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE) else {
        return Outcome::Refused;
    };
    let mut answer = Vec::new();
    let asked = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.write_all(REQUEST))
        .and_then(|()| stream.read_to_end(&mut answer));
    match asked {
        Ok(_) if answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"hello") => {
            Outcome::Answered
        }
        _ => Outcome::Failed,
    }
}

/// What became of all clients.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    longest_us: AtomicU64,
}

impl Tally {
    /// Count a client that has waited since then: since it was its turn, so that
    /// those count as waiting whose turn came late.
    fn count(&self, since: Instant, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Answered => &self.answered,
            Outcome::Refused => &self.refused,
            Outcome::Failed => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let waited = since.elapsed().as_micros() as u64;
        self.longest_us.fetch_max(waited, Ordering::Relaxed);
    }

    fn report(&self, taken: Duration) -> Report {
        Report {
            answered: self.answered.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            longest_wait_ms: self.longest_us.load(Ordering::Relaxed) as f64 / 1e3,
            taken_over_ms: taken.as_secs_f64() * 1e3,
        }
    }
}

/// A server that answers every request alike, until it is told to end.
fn answer_all<'scope>(scope: &'scope Scope<'scope, '_>, listener: &'scope TcpListener) {
    for stream in listener.incoming().flatten() {
        let mut stream = stream;
        let mut first = [0; 3];
        if stream.read_exact(&mut first).is_err() {
            continue;
        }
        if &first == b"end" {
            return;
        }
        scope.spawn(move || answer(stream));
    }
}

/// Answer one connection's requests, which have no bodies, until it closes.
fn answer(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        head.extend_from_slice(&chunk[..read]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            if stream.write_all(ANSWER).is_err() {
                return;
            }
        }
    }
}

/// What was found.
#[derive(Serialize)]
struct Report {
    answered: u64,
    refused: u64,
    failed: u64,
    longest_wait_ms: f64,
    /// From asking for the upgrade to the answer that the new process serves.
    taken_over_ms: f64,
}

impl Report {
    fn print(&self, arguments: &Arguments) {
        println!(
            "another process took over within {:.0} ms, at {} new connections/s on {} workers",
            self.taken_over_ms, arguments.rate, arguments.workers
        );
        println!(
            "{} answered, {} refused, {} failed; the slowest waited {:.1} ms",
            self.answered, self.refused, self.failed, self.longest_wait_ms
        );
    }
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn a_port_is_taken_once_its_line_is_whole() {
        let mark = "address=127.0.0.1:";
        assert_eq!(port("x address=127.0.0.1:80", mark), None);
        let port = port("x address=127.0.0.1:8080\n", mark);
        assert_eq!(port.as_deref(), Some("8080"));
    }
}
