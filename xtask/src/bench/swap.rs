//! `cargo xtask bench swap`: at full load a new build of the balancer is copied
//! over the file that the gateway watches. How long until it decides, does a
//! request fail, and how long does a worker stand still for it?

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::Serialize;

use super::certificate;
use super::common::Common;
use super::cores::Cores;
use super::figures::grouped;
use super::footprint;
use super::load::{Load, Target};
use super::metrics::Metrics;
use super::peer::{Peer, Setting, Started, WATCHED};
use super::peers;
use super::programs::Programs;
use super::scenario::Scenario;
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

/// What `cargo xtask bench swap` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// How often to swap
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    swaps: u16,
    /// How many builds take turns; each is compiled once. Default: a new one each time
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..=10_000))]
    builds: Option<u16>,
    /// Milliseconds from the start of one swap to that of the next
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
    let target = Target {
        traffic,
        plain_port: gateway.plain_port,
        tls_port: gateway.tls_port,
        headers: &[],
        connections: CONNECTIONS,
        core: cores.load,
        folder: folder.path(),
        cipher_suite: None,
    };
    let pause = Duration::from_millis(arguments.pause);
    let duration = pause * u32::from(arguments.swaps) + PATIENCE;
    let builds = arguments.builds.unwrap_or(arguments.swaps);
    let warm = arguments.swaps.div_ceil(WARMING);
    let mut memory_kib = [0.0; 2];
    let (load, until_deciding_ms) = std::thread::scope(|scope| {
        let load = scope.spawn(|| target.load(duration));
        let start = Instant::now();
        let swaps = (1..=arguments.swaps)
            .map(|swap| {
                let due = start + pause * u32::from(swap);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let took = component.swap(swap % builds, gateway.admin_port)?;
                println!("swap {swap}/{}: {took:.0} ms", arguments.swaps);
                let [first, last] = &mut memory_kib;
                if swap == warm {
                    *first = footprint::memory(gateway.process.id())?;
                }
                if swap == arguments.swaps {
                    *last = footprint::memory(gateway.process.id())?;
                }
                Ok(took)
            })
            .collect::<Result<Vec<f64>>>();
        match load.join() {
            Ok(load) => Ok((load?, swaps?)),
            Err(_) => bail!("the load generator's thread ended early"),
        }
    })?;
    let metrics = Metrics::of(gateway.admin_port)?;
    let longest = metrics
        .all("gatewright_longest_switch_seconds")
        .map(|sample| sample.value)
        .next()
        .context("the gateway does not tell its longest switch")?;
    let memory_mib = memory_kib.map(|kib| kib / 1024.0);
    Ok(Report::of(
        load,
        until_deciding_ms,
        longest * 1e6,
        memory_mib,
    ))
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
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Report {
    fn of(
        load: Load,
        until_deciding_ms: Vec<f64>,
        longest_pause_us: f64,
        memory_mib: [f64; 2],
    ) -> Self {
        Self {
            slowest_ms: until_deciding_ms.iter().copied().fold(0.0, f64::max),
            until_deciding_ms,
            longest_pause_us,
            memory_mib,
            requests: load.requests,
            failed: load.failed,
            requests_per_second: load.requests_per_second,
            p50_us: load.p50_us,
            p99_us: load.p99_us,
        }
    }

    fn print(&self) {
        println!(
            "\n{} swaps at {} requests/s: a new build decided after {:.0} ms at most",
            self.until_deciding_ms.len(),
            grouped(self.requests_per_second),
            self.slowest_ms,
        );
        println!(
            "{} of {} requests failed; longest pause of a worker {:.0} µs; p50 {:.0} µs, p99 {:.0} µs",
            self.failed,
            grouped(self.requests as f64),
            self.longest_pause_us,
            self.p50_us,
            self.p99_us,
        );
        let [first, last] = self.memory_mib;
        println!(
            "memory {last:.1} MiB in the end, {first:.1} MiB after a tenth of the swaps ({:+.1} %)",
            (last / first - 1.0) * 100.0
        );
    }
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn a_custom_section_says_its_length() {
        let built = with_section(b"wasm", "12");
        assert_eq!(built, b"wasm\x00\x08\x05build12");
    }
}
