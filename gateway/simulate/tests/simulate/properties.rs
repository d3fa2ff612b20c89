//! What holds for every scenario.

use std::path::Path;

use gatewright_simulate::{Policy, Scenario, simulate_one};
use proptest::prelude::*;

use crate::support::workshop;

/// A scenario of few requests in which anything may happen.
fn any_scenario() -> impl Strategy<Value = String> {
    let arrivals = prop_oneof![
        Just("poisson = { rate = 500 }"),
        Just("constant = { rate = 2000 }"),
        Just("bursts = { rate = 3000, rest = 0, on = \"50ms\", off = \"200ms\" }"),
        Just("ramp = { from = 10, to = 1000, over = \"1s\" }"),
        Just("diurnal = { rate = 400, swing = 1.0, period = \"1s\" }"),
    ];
    let work = prop_oneof![
        Just("constant = { time = \"8ms\" }"),
        Just("exponential = { mean = \"20ms\" }"),
        Just("pareto = { least = \"1ms\", most = \"1s\", shape = 0.8 }"),
        Just("log-normal = { median = \"5ms\", sigma = 1.5 }"),
    ];
    let pool = prop_oneof![
        Just(""),
        Just("health = false\nbreaker = false\n"),
        Just("request_timeout = \"50ms\"\nslow_start = \"200ms\"\n"),
        Just(
            "health = { interval = \"50ms\", fall = 1 }\nretries = { attempts = 5, statuses = [500, 503] }\n"
        ),
    ];
    let trouble = prop_oneof![
        Just(""),
        Just("[[failures]]\nservers = \"a\"\nfrom = \"50ms\"\nto = \"300ms\"\ncrash = true\n"),
        Just("[[failures]]\nservers = \"a[0]\"\nerrors = 0.5\nslow = 10.0\n"),
        Just("[[churn]]\nservers = \"a\"\nevery = \"100ms\"\naway = \"150ms\"\n"),
        Just("[[antagonists]]\nservers = \"a\"\nshare = 0.9\nevery = \"50ms\"\nlasts = \"50ms\"\n"),
    ];
    let sizes = (1..40_u32, 1..4_u32, 1..3_u32, 1..4_u32, 0..3_u32);
    (arrivals, work, pool, trouble, sizes).prop_map(
        |(arrivals, work, pool, trouble, (count, concurrency, gateways, workers, queue))| {
            format!(
                "requests = 300\narrivals = {{ {arrivals} }}\nwork = {{ {work} }}\n\
                 gateways = {{ count = {gateways}, workers = {workers} }}\n\
                 network = {{ latency = \"100us\", jitter = \"{queue}ms\" }}\n[pool]\n{pool}\
                 [[servers]]\nname = \"a\"\ncount = {count}\nconcurrency = {concurrency}\nqueue = {queue}\n\
                 {trouble}"
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_ends_once_and_no_server_works_more_than_it_can(
        text in any_scenario(),
        balancer in prop::sample::select(vec!["round-robin", "weighted", "least-connections", "power-of-two", "ip-hash"]),
        seed: u64,
    ) {
        let scenario = Scenario::parse(&text, Path::new("any.toml")).unwrap();
        let policy = Policy::named(balancer);
        let outcome = simulate_one(&scenario, &policy, seed, &workshop(), &mut |_| {}).unwrap();
        prop_assert_eq!(outcome.requests, 300);
        prop_assert!(outcome.errors <= 300);
        prop_assert!(outcome.timeouts + outcome.refused <= outcome.errors);
        prop_assert_eq!(outcome.faults, 0);
        prop_assert!(outcome.utilisation.max <= 1.0 + 1e-9);
        prop_assert!(outcome.imbalance >= 1.0 - 1e-9 || outcome.errors == 300);
        prop_assert!(outcome.p50_ms <= outcome.p99_ms && outcome.p99_ms <= outcome.max_ms * 1.001);
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_a_scenario_panic(text in "(?s).{0,200}", rate: f64, count: u32, time in "[0-9]{1,20}(ns|ms|s|y)") {
        let scenario = format!(
            "requests = 1\narrivals = {{ poisson = {{ rate = {rate:?} }} }}\nwork = {{ constant = {{ time = \"{time}\" }} }}\n\
             [[servers]]\nname = \"a\"\ncount = {count}\n[[servers]]\nname = \"b\"\ncount = {count}\n\
             [[failures]]\nservers = \"b[{count}]\"\nfrom = \"{time}\"\n"
        );
        for text in [text, scenario] {
            let _ = Scenario::parse(&text, Path::new("any.toml"));
        }
    }
}
