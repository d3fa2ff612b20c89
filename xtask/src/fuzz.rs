//! `cargo xtask fuzz`: every fuzz target for some seconds.
//!
//! The targets are built without a sanitizer: `gateway/wire` holds no unsafe
//! code, so what is hunted is panics, endless loops and broken properties.

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
    for target in targets()? {
        fuzz(&target, arguments.seconds)?;
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Result<()> {
    let mut command = fuzzer("run");
    command.args([target, "--"]).args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_TIMEOUT_S}"),
        "-print_final_stats=1".to_owned(),
    ]);
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

/// The names of the targets.
fn targets() -> Result<Vec<String>> {
    let file = workspace::root().join("fuzz/Cargo.toml");
    let text = fs::read_to_string(file).context("cannot read fuzz/Cargo.toml")?;
    let manifest: Manifest = toml::from_str(&text)?;
    Ok(manifest.bin.into_iter().map(|bin| bin.name).collect())
}

#[derive(Deserialize)]
struct Manifest {
    bin: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::targets;
    use crate::workspace;

    #[test]
    fn every_fuzz_target_is_run() {
        let mut named = targets().unwrap();
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
