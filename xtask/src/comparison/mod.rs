//! `cargo xtask comparison`: every balancer that is shipped, simulated on the same
//! scenarios, for `docs/comparison.md`. The page's words are written by hand; the
//! tables between its marks, its plots and its stamp are made here, and what the
//! words claim of the tables is checked.

mod claim;
mod page;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use self::page::{Page, Stamp};
use self::report::Report;
use crate::workspace::{self, SourceDigest, sha256};
use crate::{bench, cargo};

/// The page.
const FILE: &str = "docs/comparison.md";

/// Where its plots are.
const PLOTS: &str = "docs/images/comparison";

/// The scenarios, by their files' names without the ending.
const SCENARIOS: [&str; 6] = [
    "steady",
    "heavy-tail",
    "unequal",
    "slow-server",
    "ramp",
    "churn",
];

/// Where they are.
const FOLDER: &str = "examples/simulate";

/// A short scenario with a little of everything, which tests play instead of them:
/// in a program that is built as theirs is, they would take minutes.
const PROOF: &str = "xtask/src/comparison/proof.toml";

/// The most bytes of a plot.
const MOST_BYTES: u64 = 60_000;

const REMEDY: &str = "run `cargo xtask comparison`";

/// What `cargo xtask comparison` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail when the page is not what would be made now
    #[arg(long)]
    check: bool,
    /// The program to simulate with; a release is built if not given
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Make the page's figures anew, or check them.
///
/// # Errors
///
/// When a simulation fails, the page lacks a mark, or it claims what the figures
/// do not show.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = bench::gatewright(arguments.program.as_deref())?;
    match arguments.check {
        true => check_with(&program),
        false => make(&program),
    }
}

/// Fail when the page is not what would be made now.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn check() -> Result<()> {
    check_with(&bench::gatewright(None)?)
}

/// The same as far as a short scenario shows it, by the program that tests use.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn check_briefly() -> Result<()> {
    check_stamp(&cargo::program()?)
}

fn check_with(program: &Path) -> Result<()> {
    check_stamp(program)?;
    let root = workspace::root();
    let page = Page::read(&root.join(FILE))?;
    for name in SCENARIOS {
        let (table, drawn) = play(&root, program, name)?;
        let is_same =
            page.figures(&[name])?.trim() == table.trim() && fs::read(plot(&root, name))? == drawn;
        ensure!(
            is_same,
            "{name} comes out otherwise than {FILE} shows it: {REMEDY}"
        );
    }
    Ok(())
}

fn check_stamp(program: &Path) -> Result<()> {
    let root = workspace::root();
    let page = Page::read(&root.join(FILE))?;
    let (was, is) = (page.stamp()?, stamp(&root, program, &page)?);
    ensure!(
        was.scenarios == is.scenarios,
        "{FILE} was made from other scenarios than those in {FOLDER}: {REMEDY}"
    );
    ensure!(
        was.proof == is.proof,
        "{FILE} was made by another simulator or other balancers, which gave other figures: {REMEDY}"
    );
    ensure!(
        was.figures == is.figures,
        "the figures of {FILE} are not those that were made: {REMEDY}"
    );
    SCENARIOS
        .iter()
        .try_for_each(|name| fits(&plot(&root, name)))?;
    hold(&page)
}

fn make(program: &Path) -> Result<()> {
    let root = workspace::root();
    let mut page = Page::read(&root.join(FILE))?;
    fs::create_dir_all(root.join(PLOTS))?;
    for name in SCENARIOS {
        let (table, drawn) = play(&root, program, name)?;
        page.set_figures(name, &table)?;
        fs::write(plot(&root, name), drawn)?;
        fits(&plot(&root, name))?;
    }
    page.set_stamp(&stamp(&root, program, &page)?)?;
    page.write(&root.join(FILE))?;
    println!("wrote {FILE}");
    hold(&page)
}

/// A scenario's figures as a table, and its plot.
fn play(root: &Path, program: &Path, name: &str) -> Result<(String, Vec<u8>)> {
    let began = Instant::now();
    let plots = tempfile::tempdir()?;
    let scenario = root.join(FOLDER).join(format!("{name}.toml"));
    let json = simulate(program, &scenario, Some(plots.path()))?;
    let report: Report =
        serde_json::from_str(&json).context("cannot understand the simulation's report")?;
    let drawn = fs::read(plots.path().join("latency.svg"))?;
    println!("{name}: {:.0} s", began.elapsed().as_secs_f64());
    Ok((report.table(), drawn))
}

/// Fail when the page claims what its own figures do not show.
fn hold(page: &Page) -> Result<()> {
    let broken = page.broken_claims(&SCENARIOS)?;
    if !broken.is_empty() {
        bail!(
            "{FILE} claims what its figures do not show; mend the words:\n{}",
            broken.join("\n")
        );
    }
    Ok(())
}

fn plot(root: &Path, scenario: &str) -> PathBuf {
    root.join(PLOTS).join(format!("{scenario}.svg"))
}

fn fits(plot: &Path) -> Result<()> {
    let length = fs::metadata(plot).with_context(|| format!("there is no {}", plot.display()))?;
    ensure!(
        length.len() <= MOST_BYTES,
        "{} is larger than {MOST_BYTES} bytes",
        plot.display()
    );
    Ok(())
}

/// What the page's figures follow from.
fn stamp(root: &Path, program: &Path, page: &Page) -> Result<Stamp> {
    let mut scenarios = SourceDigest::default();
    for name in SCENARIOS {
        let file = format!("{name}.toml");
        let bytes = fs::read(root.join(FOLDER).join(&file));
        scenarios = scenarios.part(&file, &bytes.with_context(|| format!("{FOLDER}/{file}"))?);
    }
    let proof = simulate(program, &root.join(PROOF), None)?;
    Ok(Stamp {
        scenarios: scenarios.finish(),
        proof: sha256(proof.as_bytes()),
        figures: sha256(page.figures(&SCENARIOS)?.as_bytes()),
    })
}

/// A scenario's report, as JSON.
fn simulate(program: &Path, scenario: &Path, plots: Option<&Path>) -> Result<String> {
    let mut command = Command::new(program);
    command.arg("simulate").arg(scenario).arg("--json");
    if let Some(plots) = plots {
        command.arg("--plots").arg(plots);
    }
    cargo::output(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_claims_what_its_figures_show() {
        let page = Page::read(&workspace::root().join(FILE)).unwrap();
        let figures = page.figures(&SCENARIOS).unwrap();
        assert_eq!(page.stamp().unwrap().figures, sha256(figures.as_bytes()));
        hold(&page).unwrap();
    }
}
