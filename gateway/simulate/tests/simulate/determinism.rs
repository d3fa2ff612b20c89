//! The same seed gives the same bytes.

use gatewright_simulate::{Policy, simulate};

use crate::support::{scenario, workshop};

/// Something of everything.
const ALL: &str = "duration = \"4s\"\nwarm_up = \"500ms\"\nobjective = \"50ms\"\n\
    arrivals = { bursts = { rate = 2000, rest = 500, on = \"300ms\", off = \"700ms\" } }\n\
    work = { pareto = { least = \"2ms\", most = \"1s\", shape = 1.3 } }\n\
    clients = { count = 500, zipf = 1.0 }\n\
    gateways = { count = 2, workers = 2 }\n\
    network = { latency = \"200us\", jitter = \"300us\" }\n\
    [pool]\nslow_start = \"500ms\"\nhealth = { interval = \"200ms\" }\nrequest_timeout = \"1s\"\n\
    [[servers]]\nname = \"a\"\ncount = 6\nconcurrency = 2\nqueue = 50\n\
    [[servers]]\nname = \"b\"\ncount = 3\nspeed = 2.0\nweight = 2\njoins = \"1s\"\n\
    [[failures]]\nservers = \"a[0]\"\nfrom = \"1s\"\nto = \"2s\"\ncrash = true\n\
    [[failures]]\nservers = \"a[1..3]\"\nfrom = \"2s\"\nerrors = 0.1\nslow = 2.0\n\
    [[antagonists]]\nservers = \"b\"\nshare = 0.5\nevery = \"500ms\"\nlasts = \"200ms\"\n\
    [[churn]]\nservers = \"a\"\nevery = \"300ms\"\naway = \"400ms\"\n";

fn told(seed: u64) -> String {
    let policies = ["power-of-two", "weighted", "least-connections"].map(Policy::named);
    let report = simulate(&scenario(ALL), &policies, seed, &workshop(), &mut |_, _| {});
    let mut report = report.unwrap().without_timings();
    // The file has another name each time.
    report.scenario.clear();
    serde_json::to_string(&report).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    let first = told(7);
    assert_eq!(first, told(7));
    assert_ne!(first, told(8));
}

#[test]
fn all_policies_meet_the_same_requests() {
    let report: serde_json::Value = serde_json::from_str(&told(3)).unwrap();
    let requests = |place: usize| report["policies"][place]["requests"].as_u64().unwrap();
    assert!(requests(0) > 2000);
    assert_eq!(requests(0), requests(1));
    assert_eq!(requests(1), requests(2));
}
