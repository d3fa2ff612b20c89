//! `cargo xtask fuzz`: every fuzz target for some seconds.
//!
//! The targets are built without a sanitizer: `gateway/wire` and `gateway/model`
//! hold no unsafe code, so what is hunted is panics, endless loops and broken
//! properties.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cargo::{cargo, run};
use crate::{follow, tools, workspace};

/// How often a long run says that it is alive.
const PULSE: Duration = Duration::from_secs(30);

/// An input that takes longer than this many seconds counts as an endless loop.
const INPUT_TIMEOUT_S: u32 = 10;

/// What `cargo xtask fuzz` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long to fuzz each target, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
}

/// Fuzz every target.
///
/// # Errors
///
/// When the fuzzer is not there, or finds something.
pub(crate) fn run_all(arguments: &Arguments) -> Result<()> {
    // libFuzzer is C++.
    tools::need_programs(&[("g++", "g++")])?;
    tools::need_subcommand("fuzz")?;
    run(&mut fuzzer("build"))?;
    let Manifest { bin, package } = manifest()?;
    for Target { name } in bin {
        let seeds = package.metadata.seeds.get(&name);
        fuzz(&name, seeds.map_or(&[], Vec::as_slice), arguments.seconds)?;
    }
    Ok(())
}

fn fuzz(target: &str, seeds: &[String], seconds: u32) -> Result<()> {
    let mut command = fuzzer("run");
    command.args([target, "--"]).args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_TIMEOUT_S}"),
        "-print_final_stats=1".to_owned(),
    ]);
    if !seeds.is_empty() {
        let root = workspace::root();
        let seeds: Vec<_> = seeds
            .iter()
            .map(|seed| root.join(seed).display().to_string())
            .collect();
        command.arg(format!("-seed_inputs={}", seeds.join(",")));
    }
    let mut said = Vec::new();
    let mut executed = None;
    let start = Instant::now();
    let mut pulse = start;
    let status = follow::lines(&mut command, |line| {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            executed = Some(count.trim().to_owned());
        }
        if pulse.elapsed() > PULSE {
            pulse = Instant::now();
            println!("{target}: {} s, {line}", start.elapsed().as_secs());
        }
        said.push(line.to_owned());
    })?;
    if !status.success() {
        for line in &said {
            println!("{line}");
        }
        bail!("fuzzing {target} found what is printed above");
    }
    let executed = executed.context("the fuzzer did not say how many inputs it tried")?;
    println!(
        "{target}: {executed} inputs in {} s",
        start.elapsed().as_secs()
    );
    Ok(())
}

/// `cargo fuzz SUBCOMMAND`, allowed on a stable compiler: coverage counters are
/// flags that only an unstable one accepts.
fn fuzzer(subcommand: &str) -> Command {
    let mut command = cargo();
    command
        .args(["fuzz", subcommand, "--sanitizer", "none"])
        .env("RUSTC_BOOTSTRAP", "1")
        // The fuzz targets are a workspace of their own, with its own folder.
        .env_remove("CARGO_TARGET_DIR");
    command
}

/// What `fuzz/Cargo.toml` says of the targets.
fn manifest() -> Result<Manifest> {
    let file = workspace::root().join("fuzz/Cargo.toml");
    let text = fs::read_to_string(file).context("cannot read fuzz/Cargo.toml")?;
    Ok(toml::from_str(&text)?)
}

#[derive(Deserialize)]
struct Manifest {
    bin: Vec<Target>,
    package: Package,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Package {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    /// For each target its files to begin with, as seen from the workspace.
    #[serde(default)]
    seeds: HashMap<String, Vec<String>>,
}

#[cfg(test)]
mod tests {
    use super::{Manifest, manifest};
    use crate::workspace;

    #[test]
    fn every_file_to_begin_with_is_there() {
        let Manifest { bin, package } = manifest().unwrap();
        for (target, seeds) in package.metadata.seeds {
            assert!(bin.iter().any(|bin| bin.name == target), "{target}");
            for seed in seeds {
                assert!(workspace::root().join(&seed).is_file(), "{seed}");
            }
        }
    }

    #[test]
    fn every_fuzz_target_is_run() {
        let bins = manifest().unwrap().bin;
        let mut named: Vec<_> = bins.into_iter().map(|bin| bin.name).collect();
        let folder = workspace::root().join("fuzz/fuzz_targets");
        let mut there: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        named.sort();
        there.sort();
        assert_eq!(named, there);
    }
}
