//! `cargo xtask bench`: the gateway measured. What is measured and how is
//! explained in `benches/README.md`.

mod all;
mod backends;
mod callgrind;
mod certificate;
mod chain;
mod changes;
mod cluster;
mod common;
mod cores;
mod cpu;
mod dashboards;
mod decisions;
mod encoders;
pub(crate) mod figures;
mod followers;
mod footprint;
mod guard;
pub(crate) mod http;
mod instructions;
mod load;
pub(crate) mod metrics;
mod overload;
pub(crate) mod peer;
mod peers;
mod programs;
mod report;
mod scenario;
mod swap;
mod syscalls;
mod telemetry;
mod template;
mod upgrade;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Parser;

use crate::cargo::{cargo, run as run_command, target_folder};

/// What `cargo xtask bench` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

/// Every benchmark there is.
#[derive(clap::Subcommand)]
enum Bench {
    /// Gatewright, HAProxy and nginx side by side: speed and CPU per request
    Peers(peers::Arguments),
    /// Every scenario with what is to be reached, and what a request takes
    All(all::Arguments),
    /// User-space instructions per request, free of noise
    Instructions(instructions::Arguments),
    /// Whether a request takes more instructions than are kept of it
    Guard(guard::Arguments),
    /// Calls of the kernel per request
    Syscalls(syscalls::Arguments),
    /// Start, idle CPU, memory, memory of idle connections
    Footprint(footprint::Arguments),
    /// Nanoseconds per decision of each default plugin and of the whole chain
    Decisions(decisions::Arguments),
    /// Changes through the API: how soon they are in force on every worker
    Changes(changes::Arguments),
    /// Replace a component at full load: how soon it decides, and at what cost
    Swap(swap::Arguments),
    /// An access log and traces: CPU per request with either, and with neither
    Telemetry(telemetry::Arguments),
    /// Another process takes over: whether a client is refused, and how long one waits
    Upgrade(upgrade::Arguments),
    /// A thousand servers and fifty dashboards: what control plane and pages take
    Dashboards(dashboards::Arguments),
    /// Three times what servers can do: what is served, refused, and when it is over
    Overload(overload::Arguments),
    /// Three gateways that share a Redis server: what they send it, and what it keeps
    Cluster(cluster::Arguments),
    /// Bodies that are compressed: the memory that each holds, by coding and level
    Encoders(encoders::Arguments),
}

/// Run a benchmark.
///
/// # Errors
///
/// When a program it needs is missing, or a measurement failed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.bench {
        Bench::Peers(arguments) => peers::run(arguments),
        Bench::All(arguments) => all::run(arguments),
        Bench::Instructions(arguments) => instructions::run(arguments),
        Bench::Guard(arguments) => guard::run(arguments),
        Bench::Syscalls(arguments) => syscalls::run(arguments),
        Bench::Footprint(arguments) => footprint::run(arguments),
        Bench::Decisions(arguments) => decisions::run(arguments),
        Bench::Changes(arguments) => changes::run(arguments),
        Bench::Swap(arguments) => swap::run(arguments),
        Bench::Telemetry(arguments) => telemetry::run(arguments),
        Bench::Upgrade(arguments) => upgrade::run(arguments),
        Bench::Dashboards(arguments) => dashboards::run(arguments),
        Bench::Overload(arguments) => overload::run(arguments),
        Bench::Cluster(arguments) => cluster::run(arguments),
        Bench::Encoders(arguments) => encoders::run(arguments),
    }
}

/// Whether a request of the debug build takes more instructions than it did.
///
/// # Errors
///
/// As [`run`], and when it does.
pub(crate) fn guard() -> Result<()> {
    guard::run(&guard::Arguments::parse_from(["guard"]))
}

/// The same of the release.
///
/// # Errors
///
/// As [`guard`](fn@guard).
pub(crate) fn guard_release() -> Result<()> {
    guard::run(&guard::Arguments::parse_from(["guard", "--release"]))
}

/// The comparison with other proxies, as it is by default.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn peers() -> Result<()> {
    peers::run(&peers::Arguments::parse_from(["peers"]))
}

/// The cost of decisions, as it is by default.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn decisions() -> Result<()> {
    decisions::run(&decisions::Arguments::parse_from(["decisions"]))
}

/// Changes through the API, as they are by default.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn changes() -> Result<()> {
    changes::run(&changes::Arguments::parse_from(["changes"]))
}

/// The swap under load, as it is by default.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn swap() -> Result<()> {
    swap::run(&swap::Arguments::parse_from(["swap"]))
}

/// The cost of dashboards, as it is by default.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn dashboards() -> Result<()> {
    dashboards::run(&dashboards::Arguments::parse_from(["dashboards"]))
}

/// More requests than servers can do, as it is by default.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn overload() -> Result<()> {
    overload::run(&overload::Arguments::parse_from(["overload"]))
}

/// The gateway's program: the one that was named, or a release build of the
/// sources.
pub(crate) fn gatewright(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        if !path.is_file() {
            bail!("there is no program {}", path.display());
        }
        return Ok(path.to_owned());
    }
    println!("building gatewright's release (the first time takes ten to twenty-five minutes)");
    run_command(cargo().args(["build", "--release", "--locked", "--package", "gatewright"]))?;
    Ok(target_folder()?.join("release/gatewright"))
}
