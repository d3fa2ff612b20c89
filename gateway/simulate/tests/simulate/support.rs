//! What the tests share: scenarios out of a few lines, and their simulation.

use std::io::Write as _;
use std::path::Path;

use gatewright_host::Compiler;
use gatewright_simulate::{Outcome, Policy, Scenario, Workshop, simulate_one};

/// Where components are compiled: shared by all tests, since it takes seconds.
pub(crate) fn workshop() -> Workshop {
    Workshop {
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"),
        compiler: Compiler::InProcess,
    }
}

/// A scenario of these lines.
pub(crate) fn scenario(text: &str) -> Scenario {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Scenario::read(file.path()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is wrong with these lines.
pub(crate) fn refusal(text: &str) -> String {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let error = Scenario::read(file.path()).unwrap_err().to_string();
    let path = file.path().display().to_string();
    error.replace(&path, "scenario.toml")
}

/// What a balancer of the gateway's own comes to in these lines.
pub(crate) fn run(balancer: &str, text: &str, seed: u64) -> Outcome {
    let policy = Policy::named(balancer);
    let outcome = simulate_one(&scenario(text), &policy, seed, &workshop(), &mut |_| {});
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outcome.faults, 0, "{balancer}");
    outcome
}

/// Whether a figure is what it should be, give or take a share of it.
#[track_caller]
pub(crate) fn assert_near(what: &str, figure: f64, expected: f64, by: f64) {
    let off = (figure / expected - 1.0).abs();
    assert!(off <= by, "{what}: {figure:.4} instead of {expected:.4}");
}
