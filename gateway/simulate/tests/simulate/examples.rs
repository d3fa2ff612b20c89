//! The scenarios that are shipped.

use std::fs;
use std::path::{Path, PathBuf};

use gatewright_simulate::{Scenario, policies, simulate};

use crate::support::{run, workshop};

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

#[test]
fn ten_thousand_servers_are_dealt_out_over_pools() {
    let text = "requests = 30000\narrivals = { poisson = { rate = 100000 } }\n\
        work = { exponential = { mean = \"50ms\" } }\nclients = { count = 1000000 }\n\
        [[servers]]\nname = \"web\"\ncount = 10000\n";
    let outcome = run("power-of-two", text, 1);
    assert_eq!((outcome.requests, outcome.errors), (30_000, 0));
    assert_eq!(outcome.heat.rows.len(), 64);
    // Three a server in the mean: by chance alone one in twenty would have none.
    assert!(outcome.groups[0].most < 20, "{}", outcome.groups[0].most);
    assert_eq!(outcome.groups[0].requests, 30_000);
}

#[test]
fn a_recording_is_played_with_its_clients_and_its_work() {
    let folder = tempfile::tempdir().unwrap();
    let lines = (0..500).map(|n| format!("{},c{},{}\n", n as f64 / 100.0, n % 7, 5 + n % 3));
    let recording: String = std::iter::once("time,client,work\n".to_owned())
        .chain(lines)
        .collect();
    fs::write(folder.path().join("log.csv"), recording).unwrap();
    let text = "arrivals = { recording = { file = \"log.csv\", speed = 2.0 } }\n\
        work = { constant = { time = \"1s\" } }\n[[servers]]\nname = \"web\"\nconcurrency = 9\n";
    let file = folder.path().join("played.toml");
    fs::write(&file, text).unwrap();
    let scenario = Scenario::read(&file).unwrap();
    let policies = &policies(&scenario)[..1];
    let report = simulate(&scenario, policies, 1, &workshop(), &mut |_, _| {}).unwrap();
    let outcome = &report.policies[0];
    assert_eq!(outcome.requests, 500);
    // Its own work, not the scenario's; and twice as fast: 2.5 s.
    assert!((5.0..=7.01).contains(&outcome.p50_ms), "{}", outcome.p50_ms);
    assert!((5.0..=7.01).contains(&outcome.max_ms), "{}", outcome.max_ms);
    let last = outcome.load.at_s.last().copied().unwrap_or_default();
    assert!((2.0..3.0).contains(&last), "{last}");
}
