//! The same seed gives the same bytes.

use gatewright_simulate::{Policy, Workshop, simulate};
use serde_json::Value;

use crate::support::{scenario, workshop};

/// Something of everything.
const ALL: &str = "duration = \"4s\"\nwarm_up = \"500ms\"\nobjective = \"50ms\"\n\
    arrivals = { bursts = { rate = 2000, rest = 500, on = \"300ms\", off = \"700ms\" } }\n\
    work = { pareto = { least = \"2ms\", most = \"1s\", shape = 1.3 } }\n\
    clients = { count = 500, zipf = 1.0 }\n\
    gateways = { count = 2, workers = 2 }\n\
    network = { latency = \"200us\", jitter = \"300us\" }\n\
    [pool]\nslow_start = \"500ms\"\nhealth = { interval = \"200ms\" }\nrequest_timeout = \"1s\"\n\
    probe = { path = \"/load\", interval = \"100ms\" }\n\
    [[servers]]\nname = \"a\"\ncount = 6\nconcurrency = 2\nqueue = 50\n\
    [[servers]]\nname = \"b\"\ncount = 3\nspeed = 2.0\nweight = 2\njoins = \"1s\"\n\
    [[failures]]\nservers = \"a[0]\"\nfrom = \"1s\"\nto = \"2s\"\ncrash = true\n\
    [[failures]]\nservers = \"a[1..3]\"\nfrom = \"2s\"\nerrors = 0.1\nslow = 2.0\n\
    [[antagonists]]\nservers = \"b\"\nshare = 0.5\nevery = \"500ms\"\nlasts = \"200ms\"\n\
    [[churn]]\nservers = \"a\"\nevery = \"300ms\"\naway = \"400ms\"\n";

/// The report's bytes, with so many gateways and workers of each.
fn told(seed: u64, gateways: (u32, u32), workshop: &Workshop) -> String {
    let (count, workers) = gateways;
    let here = format!("gateways = {{ count = {count}, workers = {workers} }}");
    let text = ALL.replace("gateways = { count = 2, workers = 2 }", &here);
    let policies = [
        "power-of-two",
        "weighted",
        "least-connections",
        "prequal",
        "peak-ewma",
    ];
    let policies = policies.map(Policy::named);
    let report = simulate(&scenario(&text), &policies, seed, workshop, &mut |_, _| {});
    let mut report = report.unwrap().without_timings();
    // The file has another name each time.
    report.scenario.clear();
    serde_json::to_string(&report).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    let workshop = workshop();
    for gateways in [(1, 1), (2, 2), (3, 1)] {
        let first = told(7, gateways, &workshop);
        assert!(first == told(7, gateways, &workshop), "{gateways:?}");
        assert!(first != told(8, gateways, &workshop), "{gateways:?}");
    }
}

#[test]
fn it_does_not_matter_what_was_compiled_and_tried_before() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = Workshop {
        cache: folder.path().to_owned(),
        ..workshop()
    };
    let cold = told(7, (2, 2), &fresh);
    assert!(cold == told(7, (2, 2), &fresh), "warm");
    assert!(cold == told(7, (2, 2), &workshop()), "elsewhere");
}

#[test]
fn all_policies_meet_the_same_requests_whoever_takes_them() {
    let requests = |gateways| -> Vec<u64> {
        let report: Value = serde_json::from_str(&told(3, gateways, &workshop())).unwrap();
        let policies = report["policies"].as_array().unwrap().iter();
        let counts = policies.map(|one| one["requests"].as_u64().unwrap());
        counts.collect()
    };
    let first = requests((1, 1));
    assert!(first[0] > 2000);
    assert!(first.iter().all(|count| *count == first[0]), "{first:?}");
    assert_eq!(first, requests((3, 2)));
}
