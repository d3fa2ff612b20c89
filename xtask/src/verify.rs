//! `cargo xtask verify`: the tests, and what takes too long for every change:
//! long fuzzing, minutes of chaos, the examples in every language, the static program
//! and the Debian package, the comparison of the balancers as a whole, the benchmarks,
//! the licences and sources of all dependencies.

use anyhow::Result;

use crate::steps::Steps;
use crate::{bench, comparison, examples, packages, test, tools};

/// Ten minutes for each fuzz target.
const FUZZ_SECONDS: u32 = 600;

/// What `cargo xtask verify` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long to fuzz each target, in seconds
    #[arg(long, default_value_t = FUZZ_SECONDS, value_parser = clap::value_parser!(u32).range(1..))]
    fuzz_seconds: u32,
}

/// Verify, and print a summary whatever comes of it.
///
/// # Errors
///
/// That of the step that failed.
pub(crate) fn run_all(arguments: &Arguments) -> Result<()> {
    let mut steps = Steps::default();
    let result = all(&mut steps, arguments.fuzz_seconds);
    steps.summary();
    result
}

fn all(steps: &mut Steps, fuzz_seconds: u32) -> Result<()> {
    test::all(steps, fuzz_seconds)?;
    steps.step("dependencies", || {
        tools::need_subcommand("deny")?;
        test::dependencies()
    })?;
    steps.step("killed 200 times", test::kills)?;
    steps.step("chaos", test::chaos)?;
    steps.step("examples", examples::all)?;
    steps.step("the static program", packages::static_program)?;
    steps.step("the Debian package", packages::debian)?;
    steps.step("the whole comparison is current", comparison::check)?;
    steps.step("decisions", bench::decisions)?;
    steps.step("instructions of the release", bench::guard_release)?;
    steps.step("peers", bench::peers)?;
    steps.step("changes", bench::changes)?;
    steps.step("swap under load", bench::swap)?;
    steps.step("overload", bench::overload)?;
    steps.step("dashboards", bench::dashboards)
}
