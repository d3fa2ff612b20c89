//! `cargo xtask bench swap`: at full load a new build of the balancer is copied
//! over the file that the gateway watches. How long until it decides, does a
//! request fail, how long does a worker stand still for it, and what does a request
//! cost meanwhile?

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Parser;
use serde::Serialize;

use super::certificate;
use super::common::Common;
use super::cores::Cores;
use super::cpu;
use super::figures::{grouped, mark};
use super::footprint;
use super::load::{Load, Target};
use super::metrics::Metrics;
use super::peer::{Peer, Setting, Started, WATCHED};
use super::peers;
use super::programs::Programs;
use super::scenario::Scenario;
use crate::process::Process;
use crate::workspace;

/// The plugin that is swapped, of the default set.
const PLUGIN: &str = "least-connections";

/// One in so many of the swaps comes before memory is looked at first: until then
/// caches and pools fill.
const WARMING: u16 = 10;

/// How often the gateway is asked who decides.
const LOOK: Duration = Duration::from_millis(5);

/// A swap that took longer than this has failed. The load outlasts it, for
/// without requests nobody decides.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections that the clients hold open.
const CONNECTIONS: u32 = 32;

/// How long they ask before the swaps, which these are compared with.
const BASE: Duration = Duration::from_secs(5);

/// How long a worker may stand still for a swap.
const PAUSE_US: f64 = 1000.0;

/// Lines of the gateway's log that are told with a swap that failed.
const LAST_SAID: usize = 20;

/// By how much memory may differ in the end, of at least so many swaps: in fewer,
/// pools and caches still fill.
const MEMORY: (f64, usize) = (0.02, 1000);

/// What `cargo xtask bench swap` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// How often to swap
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    swaps: u16,
    /// How many builds take turns; each is compiled once. Default: a new one each time
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..=10_000))]
    builds: Option<u16>,
    /// Milliseconds from the start of one swap to that of the next; longer than one takes
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pause: u64,
    #[command(flatten)]
    common: Common,
}

/// Measure and print.
///
/// # Errors
///
/// When a program is missing, a request failed, or a new version never decides.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let programs = Programs::find(&[Peer::Gatewright], &arguments.common, &[])?;
    let report = measure(arguments, &programs)?;
    report.print();
    arguments.common.tell(&report)?;
    if report.failed > 0 {
        bail!(
            "{} requests failed while components were swapped",
            report.failed
        );
    }
    Ok(())
}

fn measure(arguments: &Arguments, programs: &Programs) -> Result<Report> {
    let cores = Cores::choose()?;
    let folder = tempfile::tempdir()?;
    certificate::make(folder.path())?;
    let component = Component::place(folder.path())?;
    let traffic = Scenario::Plain.traffic();
    let backends = peers::backends(traffic, cores)?;
    let setting = Setting {
        watched: true,
        ..Setting::new(programs, folder.path(), cores, &backends.ports, traffic)
    };
    let gateway = Started::start(Peer::Gatewright, &setting)?;
    // A gateway looks at its configuration when something changes beside it.
    let written = folder.path().join("load");
    fs::create_dir_all(&written)?;
    let target = Target {
        traffic,
        plain_port: gateway.plain_port,
        tls_port: gateway.tls_port,
        headers: &[],
        connections: CONNECTIONS,
        core: cores.load,
        folder: &written,
        cipher_suite: None,
    };
    // Pools fill and caches warm before anything counts.
    target.load(Duration::from_secs(1))?;
    let before = Done::so_far(&gateway)?;
    let base = target.load(BASE)?;
    let without = Done::so_far(&gateway)?.since(&before);
    ensure!(
        base.failed == 0,
        "requests failed before anything was swapped"
    );
    // A pause comes before the first swap, and one after each.
    let pauses = u32::from(arguments.swaps) + 1;
    let duration = Duration::from_millis(arguments.pause) * pauses + PATIENCE * 2;
    let (load, swapped) = std::thread::scope(|scope| {
        let load = scope.spawn(|| target.load(duration));
        let swapped = swap_all(arguments, &component, &gateway);
        if let Err(error) = &swapped {
            println!("{error:#}\n(ends with the load)");
        }
        let load = load.join();
        let Ok(swapped) = swapped else {
            bail!("not every swap was done: the reason is above");
        };
        match load {
            Ok(load) => Ok((load?, swapped)),
            Err(_) => bail!("the load generator's thread ended early"),
        }
    })?;
    let metrics = Metrics::of(gateway.admin_port)?;
    let longest = metrics
        .all("gatewright_longest_switch_seconds")
        .map(|sample| sample.value)
        .next()
        .context("the gateway does not tell its longest switch")?;
    let slowest_ms = swapped.until_deciding_ms.iter().copied();
    Ok(Report {
        slowest_ms: slowest_ms.fold(0.0, f64::max),
        until_deciding_ms: swapped.until_deciding_ms,
        longest_pause_us: longest * 1e6,
        memory_mib: swapped.memory_kib.map(|kib| kib / 1024.0),
        requests: load.requests,
        failed: load.failed,
        swapping: Speed::of(&swapped.rate, &load),
        without: Speed::of(&without, &base),
    })
}

/// Swap as often as is asked for, while clients ask.
fn swap_all(arguments: &Arguments, component: &Component, gateway: &Started) -> Result<Swapped> {
    let pause = Duration::from_millis(arguments.pause);
    let builds = arguments.builds.unwrap_or(arguments.swaps);
    let warm = arguments.swaps.div_ceil(WARMING);
    let mut until_deciding_ms = Vec::new();
    let mut memory_kib = [0.0; 2];
    let start = Instant::now() + pause;
    let wait_for = |swap: u16| {
        let due = start + pause * u32::from(swap);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    };
    wait_for(0);
    let before = Done::so_far(gateway)?;
    for swap in 1..=arguments.swaps {
        wait_for(swap - 1);
        // Without requests nobody decides, and the load ends when it was to.
        let late = (start + pause * u32::from(swap - 1)).elapsed();
        ensure!(
            late < PATIENCE,
            "swap {swap} begins {late:.0?} late: give a longer --pause than {pause:?}"
        );
        let took = component.swap(swap % builds, gateway.admin_port);
        let took = took.map_err(|error| anyhow!("{error:#}; {}", last_said(&gateway.process)))?;
        println!("swap {swap}/{}: {took:.0} ms", arguments.swaps);
        until_deciding_ms.push(took);
        let [first, last] = &mut memory_kib;
        if swap == warm {
            *first = footprint::memory(gateway.process.id())?;
        }
        if swap == arguments.swaps {
            *last = footprint::memory(gateway.process.id())?;
        }
    }
    wait_for(arguments.swaps);
    Ok(Swapped {
        until_deciding_ms,
        memory_kib,
        rate: Done::so_far(gateway)?.since(&before),
    })
}

/// The last that the gateway logged.
fn last_said(process: &Process) -> String {
    let said = process.said();
    let lines: Vec<_> = said.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_SAID)..];
    format!("the gateway logged last:\n{}", last.join("\n"))
}

/// What was seen of all swaps.
struct Swapped {
    until_deciding_ms: Vec<f64>,
    /// After the first tenth of the swaps, and after the last.
    memory_kib: [f64; 2],
    /// From the first swap to the pause after the last.
    rate: Rate,
}

/// What the gateway has done so far, by its own account and the kernel's.
struct Done {
    at: Instant,
    cpu: Duration,
    requests: f64,
}

/// What it did meanwhile.
struct Rate {
    requests_per_second: f64,
    cpu_us_per_request: f64,
}

impl Done {
    fn so_far(gateway: &Started) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            cpu: cpu::of_tree(gateway.process.id())?.total(),
            requests: Metrics::of(gateway.admin_port)?.sum("gatewright_requests_total"),
        })
    }

    fn since(&self, before: &Self) -> Rate {
        let requests = self.requests - before.requests;
        let cpu = self.cpu.saturating_sub(before.cpu);
        Rate {
            requests_per_second: requests / (self.at - before.at).as_secs_f64(),
            cpu_us_per_request: cpu.as_secs_f64() * 1e6 / requests,
        }
    }
}

/// The component's file, and the bytes of its first build.
struct Component {
    file: PathBuf,
    first: Vec<u8>,
}

impl Component {
    fn place(folder: &Path) -> Result<Self> {
        let committed = workspace::root().join(format!("plugins/dist/{PLUGIN}.wasm"));
        let first =
            fs::read(&committed).with_context(|| format!("cannot read {}", committed.display()))?;
        let file = folder.join(WATCHED);
        fs::write(&file, &first)?;
        Ok(Self { file, first })
    }

    /// Write a new build over the file, and wait until it has decided.
    /// Returns milliseconds since before the first byte was written.
    fn swap(&self, number: u16, admin_port: u16) -> Result<f64> {
        let bytes = with_section(&self.first, &number.to_string());
        let digest = workspace::sha256(&bytes);
        let start = Instant::now();
        fs::write(&self.file, &bytes)?;
        while !has_decided(&Metrics::of(admin_port)?, &digest) {
            if start.elapsed() > PATIENCE {
                bail!("build {number} did not decide within {PATIENCE:?}");
            }
            std::thread::sleep(LOOK);
        }
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }
}

/// Whether the version with this digest, which metrics show shortened, has
/// made a decision.
fn has_decided(metrics: &Metrics, digest: &str) -> bool {
    metrics
        .all("gatewright_plugin_decisions_total")
        .any(|sample| {
            let version = sample.label("version").unwrap_or_default();
            !version.is_empty() && digest.starts_with(version) && sample.value > 0.0
        })
}

/// The component with a custom section at its end: another build of the same
/// code, with a digest of its own.
fn with_section(component: &[u8], text: &str) -> Vec<u8> {
    const NAME: &str = "build";
    // Both lengths stay below 128, where a LEB128 number is one byte.
    let name = [&[NAME.len() as u8], NAME.as_bytes()].concat();
    let length = (name.len() + text.len()) as u8;
    [component, &[0, length], &name, text.as_bytes()].concat()
}

/// What was found.
#[derive(Serialize)]
struct Report {
    /// By swap, from copying the file to the first decision.
    until_deciding_ms: Vec<f64>,
    slowest_ms: f64,
    /// The longest that a worker stood still for a swap.
    longest_pause_us: f64,
    /// Proportional memory after the first tenth of the swaps, and after the last.
    memory_mib: [f64; 2],
    requests: u64,
    failed: u64,
    /// The load with the swaps.
    swapping: Speed,
    /// The same before them.
    without: Speed,
}

/// How soon requests were answered, and at what cost.
#[derive(Serialize)]
struct Speed {
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us_per_request: f64,
}

impl Speed {
    fn of(rate: &Rate, load: &Load) -> Self {
        Self {
            requests_per_second: rate.requests_per_second,
            p50_us: load.p50_us,
            p99_us: load.p99_us,
            cpu_us_per_request: rate.cpu_us_per_request,
        }
    }
}

impl Report {
    fn print(&self) {
        println!(
            "\n{} swaps at {} requests/s: a new build decided after {:.0} ms at most",
            self.until_deciding_ms.len(),
            grouped(self.swapping.requests_per_second),
            self.slowest_ms,
        );
        println!(
            "{} of {} requests failed; longest pause of a worker {}{:.0} µs (at most {PAUSE_US:.0})",
            self.failed,
            grouped(self.requests as f64),
            mark(self.longest_pause_us > PAUSE_US),
            self.longest_pause_us,
        );
        println!(
            "{:14} {:>11} {:>8} {:>8} {:>16}",
            "", "requests/s", "p50 µs", "p99 µs", "CPU µs/request"
        );
        for (name, speed) in [
            ("without swaps", &self.without),
            ("with swaps", &self.swapping),
        ] {
            println!(
                "{name:14} {:>11} {:>8.0} {:>8.0} {:>16.2}",
                grouped(speed.requests_per_second),
                speed.p50_us,
                speed.p99_us,
                speed.cpu_us_per_request,
            );
        }
        let ratio = self.swapping.cpu_us_per_request / self.without.cpu_us_per_request;
        println!("with swaps / without: CPU per request {ratio:.2}");
        let [first, last] = self.memory_mib;
        let (missed, more) = memory(self.memory_mib, self.until_deciding_ms.len());
        println!(
            "memory {last:.1} MiB in the end, {first:.1} MiB after a tenth of the swaps \
             ({missed}{more:+.1} %)"
        );
    }
}

/// By how many percent memory differs after so many swaps, and the mark of that.
fn memory([first, last]: [f64; 2], swaps: usize) -> (&'static str, f64) {
    let (most, few) = MEMORY;
    let more = last / first - 1.0;
    (mark(swaps >= few && more.abs() > most), more * 100.0)
}

#[cfg(test)]
mod tests {
    use super::{memory, with_section};

    #[test]
    fn memory_is_judged_after_many_swaps() {
        assert_eq!(memory([100.0, 150.0], 10_000), ("!", 50.0));
        assert_eq!(memory([100.0, 50.0], 10_000), ("!", -50.0));
        assert_eq!(memory([100.0, 100.0], 10_000), ("", 0.0));
        assert_eq!(memory([100.0, 150.0], 5), ("", 50.0));
    }

    #[test]
    fn a_custom_section_says_its_length() {
        let built = with_section(b"wasm", "12");
        assert_eq!(built, b"wasm\x00\x08\x05build12");
    }
}
