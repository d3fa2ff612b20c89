//! `cargo xtask bench overload`: servers that can do so much and no more, and
//! three times as many requests as that. How many are still served, how soon are
//! the others refused, what memory does it take, and when is all as before?

mod load;
mod servers;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Serialize;

use self::load::{Asked, Fate, offer};
use self::servers::Ability;
use super::common::Common;
use super::figures::grouped;
use super::http;
use crate::process::Process;

/// How many servers there are, and what each can do.
const SERVERS: u32 = 4;
const ABILITY: Ability = Ability {
    places: 4,
    work: Duration::from_millis(40),
};

/// Shares of what the servers can do together: what is usual, all of it, and too
/// much.
const USUAL: f64 = 0.7;
const PEAK: f64 = 1.0;
const TOO_MUCH: f64 = 3.0;

/// What is looked at as one moment when it is asked whether all is as before.
const MOMENT: Duration = Duration::from_millis(100);

/// The least of the peak that is to be served at three times the load.
const LEAST_GOODPUT: f64 = 0.9;

/// What `cargo xtask bench overload` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// How many seconds of each load
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=300))]
    seconds: u16,
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
/// When less is served than nine tenths of the peak, or any request ends in
/// another way than served or refused.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let gatewright = arguments.common.program()?;
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(&gatewright, folder.path(), arguments.workers)?;
    let report = measure(&gateway, Duration::from_secs(arguments.seconds.into()))?;
    report.print();
    arguments.common.tell(&report)?;
    ensure!(report.failed == 0, "{} requests failed", report.failed);
    let kept = report.overload.goodput / report.peak.goodput;
    ensure!(
        kept >= LEAST_GOODPUT,
        "only {:.0} % of the peak is served under overload",
        kept * 100.0
    );
    Ok(())
}

fn measure(gateway: &Gateway, duration: Duration) -> Result<Report> {
    let capacity = f64::from(SERVERS) * ABILITY.per_second();
    let load = |share: f64| {
        let rate = capacity * share;
        let asked = offer(gateway.port, rate, duration);
        println!("{} requests/s offered", grouped(rate));
        (Phase::of(&asked, rate, duration), asked)
    };
    let rss_before = gateway.memory()?;
    let (usual, before) = load(USUAL);
    let (peak, at_peak) = load(PEAK);
    // The overload ends while the usual load goes on, as it does in life.
    let (overload, over, after) = std::thread::scope(|scope| {
        let usual = scope.spawn(|| offer(gateway.port, capacity * USUAL, duration * 2));
        let (overload, over) = load(TOO_MUCH - USUAL);
        usual.join().ok().map(|usual| (overload, over, usual))
    })
    .context("a load generator's thread ended early")?;
    let rss_most = gateway.most_memory()?;
    let failed = [&before, &at_peak, &over, &after].map(|asked| count(asked, Fate::Failed));
    let during = after.iter().filter(|one| one.due < duration);
    let during: Vec<_> = during.chain(&over).copied().collect();
    Ok(Report {
        capacity,
        usual,
        peak,
        overload: Phase {
            offered: capacity * TOO_MUCH,
            ..Phase::of(&during, overload.offered, duration)
        },
        as_before_after_ms: recovery(&before, &after, duration).as_secs_f64() * 1e3,
        failed: failed.iter().sum(),
        rss_before_mib: rss_before,
        rss_most_mib: rss_most,
    })
}

fn count(asked: &[Asked], fate: Fate) -> usize {
    asked.iter().filter(|one| one.fate == fate).count()
}

/// How long after `end` no request is refused any more, and none takes longer
/// than the slowest hundredth did before.
fn recovery(before: &[Asked], after: &[Asked], end: Duration) -> Duration {
    let usual = percentile(before.iter().map(|one| one.took), 0.99);
    let is_as_before =
        |one: &Asked| one.fate == Fate::Served && one.took <= usual.saturating_add(MOMENT);
    let late = after
        .iter()
        .filter(|one| one.due >= end && !is_as_before(one));
    let last = late.map(|one| one.due).max();
    last.map_or(Duration::ZERO, |last| last - end + MOMENT)
}

/// The value below which this share of the times is; zero of none.
fn percentile(times: impl Iterator<Item = Duration>, share: f64) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    let place = (times.len() as f64 * share) as usize;
    let last = times.len().saturating_sub(1);
    times.get(place.min(last)).copied().unwrap_or_default()
}

/// What a load came to.
#[derive(Serialize)]
struct Phase {
    /// Requests a second: offered, served, refused.
    offered: f64,
    goodput: f64,
    refused: f64,
    served_p50_ms: f64,
    served_p99_ms: f64,
    refused_p50_ms: f64,
    refused_p99_ms: f64,
}

impl Phase {
    fn of(asked: &[Asked], offered: f64, duration: Duration) -> Self {
        // What is still waiting at the end is of another time.
        let in_time = asked.iter().filter(|one| one.due + one.took <= duration);
        let in_time: Vec<_> = in_time.copied().collect();
        let rate = |fate| count(&in_time, fate) as f64 / duration.as_secs_f64();
        let millis = |fate, share| {
            let of_fate = asked.iter().filter(|one| one.fate == fate);
            percentile(of_fate.map(|one| one.took), share).as_secs_f64() * 1e3
        };
        Self {
            offered,
            goodput: rate(Fate::Served),
            refused: rate(Fate::Refused),
            served_p50_ms: millis(Fate::Served, 0.5),
            served_p99_ms: millis(Fate::Served, 0.99),
            refused_p50_ms: millis(Fate::Refused, 0.5),
            refused_p99_ms: millis(Fate::Refused, 0.99),
        }
    }
}

/// What was found.
#[derive(Serialize)]
struct Report {
    /// Requests a second that the servers can answer together.
    capacity: f64,
    usual: Phase,
    peak: Phase,
    overload: Phase,
    /// From the end of the overload.
    as_before_after_ms: f64,
    /// Requests that were neither served nor refused.
    failed: usize,
    /// Resident memory of the gateway.
    rss_before_mib: f64,
    rss_most_mib: f64,
}

impl Report {
    fn print(&self) {
        println!(
            "\n{SERVERS} servers that can answer {} requests/s in all",
            grouped(self.capacity)
        );
        println!(
            "            offered/s  served/s    p50 ms    p99 ms  refused/s    p50 ms    p99 ms"
        );
        for (what, phase) in [
            ("usual", &self.usual),
            ("peak", &self.peak),
            ("overload", &self.overload),
        ] {
            println!(
                "{what:<10} {:>10} {:>9} {:>9.1} {:>9.1} {:>10} {:>9.1} {:>9.1}",
                grouped(phase.offered),
                grouped(phase.goodput),
                phase.served_p50_ms,
                phase.served_p99_ms,
                grouped(phase.refused),
                phase.refused_p50_ms,
                phase.refused_p99_ms,
            );
        }
        println!(
            "as before {:.0} ms after the overload; {} failed; memory {:.1} MiB, at most {:.1} MiB",
            self.as_before_after_ms, self.failed, self.rss_before_mib, self.rss_most_mib
        );
    }
}

struct Gateway {
    /// Where it serves clients.
    port: u16,
    process: Process,
}

impl Gateway {
    fn start(program: &Path, folder: &Path, workers: u16) -> Result<Self> {
        let ports = (0..SERVERS).map(|_| servers::start(ABILITY));
        let ports = ports.collect::<Result<Vec<_>>>()?;
        let file = folder.join("gatewright.toml");
        fs::write(file, configuration(&ports, workers))?;
        let mut command = Command::new(program);
        command.arg("run").current_dir(folder).env("NO_COLOR", "1");
        let mut process = Process::start("gatewright", &mut command, folder)?;
        let admin = port_after(&mut process, "admin listening address=127.0.0.1:")?;
        let port = port_after(&mut process, " listening address=127.0.0.1:")?;
        process.until(|| http::get(admin, "/livez").is_ok())?;
        Ok(Self { port, process })
    }

    /// Its resident memory, in MiB.
    fn memory(&self) -> Result<f64> {
        self.of_status("VmRSS:")
    }

    /// The most that it has had.
    fn most_memory(&self) -> Result<f64> {
        self.of_status("VmHWM:")
    }

    fn of_status(&self, key: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.context("the gateway has ended")?;
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.context("the kernel does not tell the gateway's memory")? / 1024.0)
    }
}

/// The port that a line of the log ends with.
fn port_after(process: &mut Process, words: &str) -> Result<u16> {
    let port = process.printed(|said| {
        let lines = said.lines().filter_map(|line| line.split_once(words));
        // The admin listener's line has the words of the others, too.
        let mut own = lines.filter(|(before, _)| !before.ends_with(" admin"));
        Some(own.next()?.1.trim().to_owned())
    })?;
    port.parse().context("a listener has no port")
}

/// Servers get what they can do; a quarter of a second's work may wait.
fn configuration(ports: &[u16], workers: u16) -> String {
    let servers: Vec<_> = ports
        .iter()
        .map(|port| format!("\"127.0.0.1:{port}\""))
        .collect();
    let waiting = f64::from(SERVERS) * ABILITY.per_second() / 4.0;
    format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n\n[workers]\ncount = {workers}\n\n\
         [[listener]]\nlisten = \"127.0.0.1:0\"\n\n\
         [pools.web]\nhealth = false\nmax_active_per_server = {}\n\
         queue = {{ size = {waiting:.0}, timeout = \"1s\" }}\nservers = [{}]\n",
        ABILITY.places,
        servers.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(due: u64, fate: Fate, took: u64) -> Asked {
        Asked {
            due: Duration::from_millis(due),
            fate,
            took: Duration::from_millis(took),
        }
    }

    #[test]
    fn all_is_as_before_once_the_last_is_served_as_soon_as_before() {
        let before: Vec<_> = (0..100).map(|at| asked(at, Fate::Served, 40)).collect();
        let end = Duration::from_millis(1000);
        let after = [
            asked(900, Fate::Refused, 1),
            asked(1100, Fate::Refused, 1),
            asked(1300, Fate::Served, 300),
            asked(1400, Fate::Served, 60),
        ];
        assert_eq!(recovery(&before, &after, end), Duration::from_millis(400));
        assert_eq!(recovery(&before, &after[3..], end), Duration::ZERO);
    }
}
