//! `gatewright simulate`: balancers compared on a scenario, in virtual time.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatewright_host::Compiler;
use gatewright_simulate::{
    Policy, Report, Scenario, SimulationError, Workshop, draw, policies, simulate,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::plugin::naming::name_of;
use super::table::{Column, Table};
use super::{BALANCERS, proxy};
use crate::ending::usage;
use crate::program;

/// Where it is kept what is compiled here, in the user's cache folder.
const FOLDER: &str = "simulate";

/// How the progress bar looks.
const BAR: &str = "{msg:24} {wide_bar} {percent:>3} %  {eta}";

const COLUMNS: [Column; 14] = [
    ("POLICY", "policy"),
    ("REQUESTS", "requests"),
    ("P50 MS", "p50Ms"),
    ("P90 MS", "p90Ms"),
    ("P99 MS", "p99Ms"),
    ("P99.9 MS", "p999Ms"),
    ("MEAN MS", "meanMs"),
    ("WITHIN %", "withinPercent"),
    ("ERRORS", "errors"),
    ("TIMEOUTS", "timeouts"),
    ("RETRIES", "retries"),
    ("USED %", "used"),
    ("IMBALANCE", "imbalanceText"),
    ("NS/DECISION", "decisionNs"),
];

/// What `gatewright simulate` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The policies are the components that a gateway runs, each asked in virtual time
about the same requests to the same servers. The same scenario and seed give the
same figures, and with --json the same bytes; only the time of a decision is
measured on this machine, and in the JSON only if --timings asks for it. How fast
it went is told at the end, with --json on the error output.

Examples:
  gatewright simulate examples/simulate/slow-server.toml
  gatewright simulate ramp.toml --policy power-of-two --policy ./mine.wasm
  gatewright simulate ramp.toml --seed 7 --json > ramp.json
  gatewright simulate ramp.toml --plots plots/")]
pub(super) struct SimulateOptions {
    /// The scenario.
    scenario: PathBuf,
    /// What all chance comes from; the scenario's if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// A policy to compare: a balancer's name, or the file of a component; repeat
    /// it for each. The scenario's if none is given.
    #[arg(long = "policy", value_name = "NAME|FILE")]
    policies: Vec<String>,
    /// At most so many requests.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Draw plots into this folder, as SVG and as PNG.
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// With --json, tell how long a decision took on this machine, too; the table
    /// always does.
    #[arg(long, requires = "json")]
    timings: bool,
}

pub(super) fn run(options: &SimulateOptions) -> anyhow::Result<()> {
    let mut scenario = Scenario::read(&options.scenario).map_err(usage)?;
    if let Some(requests) = options.requests {
        scenario = scenario.shortened_to(requests);
    }
    let compared = match options.policies.is_empty() {
        true => policies(&scenario),
        false => named(&options.policies).map_err(usage)?,
    };
    if let Some(folder) = &options.plots {
        make(folder).map_err(usage)?;
    }
    let seed = options.seed.unwrap_or(scenario.seed);
    let report = compare(&scenario, &compared, seed, &workshop())?;
    if let Some(folder) = &options.plots {
        let files = draw(&report, folder)?;
        eprintln!("{} plots are in {}", files.len(), folder.display());
    }
    let speed = speed(&report);
    if options.json {
        print_json(report, options.timings)?;
        // Apart from bytes that are to be the same each time.
        eprintln!("{speed}");
    } else {
        print!("{}", words(&report)?);
        println!("{speed}");
    }
    Ok(())
}

/// A workshop in the user's cache folder.
pub(super) fn workshop() -> Workshop {
    Workshop {
        cache: proxy::data_folder().join(FOLDER),
        compiler: Compiler::Child {
            program: program::RUNNING.into(),
        },
    }
}

fn compare(
    scenario: &Scenario,
    compared: &[Policy],
    seed: u64,
    workshop: &Workshop,
) -> anyhow::Result<Report> {
    let bar = match scenario.expected_requests() {
        Some(requests) => ProgressBar::new(requests.max(1)),
        None => ProgressBar::new_spinner(),
    };
    bar.set_style(ProgressStyle::with_template(BAR)?);
    let tell = &mut |place: usize, came: u64| {
        if came == 0 || bar.message() != compared[place].title() {
            bar.set_message(compared[place].title().to_owned());
        }
        bar.set_position(came);
    };
    let report = simulate(scenario, compared, seed, workshop, tell);
    bar.finish_and_clear();
    report.map_err(told)
}

/// Why there is no simulation.
pub(super) fn told(error: SimulationError) -> anyhow::Error {
    match error.is_a_mistake() {
        true => usage(error),
        false => error.into(),
    }
}

/// The policies that a command line names, those that are called alike numbered.
fn named(names: &[String]) -> anyhow::Result<Vec<Policy>> {
    let mut policies: Vec<Policy> = Vec::with_capacity(names.len());
    for name in names {
        let mut next = policy(name)?;
        let title = next.title().to_owned();
        let mut number = 1;
        while policies.iter().any(|other| other.is_called_as(&next)) {
            number += 1;
            next.name = Some(format!("{title}-{number}"));
        }
        policies.push(next);
    }
    Ok(policies)
}

/// Make the folder for plots, so that nothing is simulated in vain without it.
fn make(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    ensure!(
        folder.is_dir() || !folder.exists(),
        "--plots: {shown} is no folder; name one, which is made when it is missing"
    );
    fs::create_dir_all(folder)
        .with_context(|| format!("--plots: the folder {shown} cannot be made"))
}

/// A balancer of the gateway's own, or a component in a file.
pub(super) fn policy(name: &str) -> anyhow::Result<Policy> {
    if BALANCERS.contains(&name) {
        return Ok(Policy::named(name));
    }
    let file = Path::new(name);
    let here = std::path::absolute(file)?;
    ensure!(
        here.is_file(),
        "there is no balancer {name:?} and no such file; write one of {}, or a component's path",
        BALANCERS.join(", ")
    );
    let called = name_of(file).unwrap_or_else(|| "plugin".to_owned());
    // One that is called like one of the gateway's own is another all the same.
    let plugin = match BALANCERS.contains(&called.as_str()) {
        true => format!("{called}-file"),
        false => called,
    };
    Ok(Policy {
        file: Some(here.display().to_string()),
        ..Policy::named(&plugin)
    })
}

fn print_json(report: Report, timings: bool) -> anyhow::Result<()> {
    let report = match timings {
        true => report,
        false => report.without_timings(),
    };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// How fast it went, without what was compiled before.
fn speed(report: &Report) -> String {
    let came: u64 = report.policies.iter().map(|one| one.came).sum();
    let took: Duration = report.policies.iter().map(|one| one.took).sum();
    let seconds = took.as_secs_f64();
    let rate = came as f64 / seconds.max(1e-9);
    format!("{came} requests were simulated in {seconds:.2} s: {rate:.0} a second.")
}

fn words(report: &Report) -> anyhow::Result<String> {
    let mut text = String::new();
    if !report.about.is_empty() {
        writeln!(text, "{}", gatewright_host::plainly(&report.about))?;
    }
    let gateways = match (report.gateways, report.workers) {
        (1, 1) => "one gateway with one worker".to_owned(),
        (gateways, workers) => format!("{gateways} × {workers} gateways and workers of each"),
    };
    writeln!(
        text,
        "{} servers, {gateways}, seed {}\n",
        report.servers, report.seed
    )?;
    let rows: Result<Vec<Value>, _> = report.policies.iter().map(serde_json::to_value).collect();
    let mut rows = rows?;
    for (row, outcome) in rows.iter_mut().zip(&report.policies) {
        let percent = |share: f64| format!("{:.2}", share * 100.0);
        let used = outcome.utilisation;
        let spread = format!("{:.0}-{:.0}", used.min * 100.0, used.max * 100.0);
        row["used"] = json!(spread);
        row["imbalanceText"] = json!(format!("{:.2}", outcome.imbalance));
        row["withinPercent"] = json!(outcome.within.map(percent));
        row["decisionNs"] = json!(outcome.decision_ns.map(|ns| format!("{ns:.0}")));
    }
    write!(text, "{}", Table::of(&rows.into(), &COLUMNS))?;
    for outcome in &report.policies {
        let (overruled, faults) = (outcome.overruled, outcome.faults);
        if overruled + outcome.fallbacks + faults > 0 {
            let policy = gatewright_host::plainly(&outcome.policy);
            writeln!(
                text,
                "{policy}: {overruled} picks could not be used, {} decisions were the rotation's, {faults} failed",
                outcome.fallbacks
            )?;
        }
    }
    text.push('\n');
    Ok(text)
}
