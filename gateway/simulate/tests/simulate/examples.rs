//! The scenarios that are shipped.

use std::fs;
use std::path::{Path, PathBuf};

use gatewright_simulate::{Scenario, policies, simulate};

use crate::support::workshop;

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/simulate");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_scenario = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
    let mut scenarios: Vec<_> = files.filter(is_scenario).collect();
    scenarios.sort();
    scenarios
}

#[test]
fn every_scenario_that_is_shipped_runs_with_every_balancer() {
    let shipped = shipped();
    assert!(shipped.len() >= 7, "{shipped:?}");
    for path in shipped {
        let scenario = Scenario::read(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!scenario.about.is_empty(), "{}", path.display());
        let mut scenario = scenario.shortened_to(2000);
        scenario.warm_up.0 = std::time::Duration::ZERO;
        let policies = policies(&scenario);
        let report = simulate(&scenario, &policies, 1, &workshop(), &mut |_, _| {});
        let report = report.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(report.policies.len(), policies.len());
        for outcome in &report.policies {
            assert!(outcome.requests >= 1000, "{}", path.display());
            assert!(outcome.p50_ms > 0.0, "{}", path.display());
            assert_eq!(outcome.faults, 0, "{}", path.display());
        }
    }
}
