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
                "requests = {REQUESTS}\narrivals = {{ {arrivals} }}\nwork = {{ {work} }}\n\
                 gateways = {{ count = {gateways}, workers = {workers} }}\n\
                 network = {{ latency = \"100us\", jitter = \"{queue}ms\" }}\n[pool]\n{pool}\
                 [[servers]]\nname = \"a\"\ncount = {count}\nconcurrency = {concurrency}\nqueue = {queue}\n\
                 [[servers]]\nname = \"down\"\n\
                 [[servers]]\nname = \"gone\"\nleaves = \"1ms\"\nconcurrency = 99\n\
                 [[failures]]\nservers = \"down\"\ncrash = true\n{trouble}"
            )
        },
    )
}

/// Requests of each of them.
const REQUESTS: u64 = 300;

/// The shortest that a request can take in any of them, in milliseconds: the way
/// there and back, and the least work that there is.
fn shortest_ms(text: &str) -> f64 {
    let least = [("constant = { time", 8.0), ("pareto", 1.0)];
    let work = least.iter().find(|(work, _)| text.contains(work));
    0.2 + work.map_or(0.0, |(_, ms)| *ms)
}

const BALANCERS: [&str; 11] = [
    "adaptive",
    "consistent-hash",
    "first",
    "ip-hash",
    "least-connections",
    "peak-ewma",
    "power-of-two",
    "prequal",
    "round-robin",
    "weighted",
    "weighted-random",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_made_up_and_time_goes_on(
        text in any_scenario(),
        balancer in prop::sample::select(BALANCERS.to_vec()),
        seed: u64,
    ) {
        let scenario = Scenario::parse(&text, Path::new("any.toml")).unwrap();
        let policy = Policy::named(balancer);
        let outcome = simulate_one(&scenario, &policy, seed, &workshop(), &mut |_| {}).unwrap();
        prop_assert_eq!(outcome.faults, 0);
        // Each request has one end, and each attempt reaches one server at most.
        prop_assert_eq!(outcome.requests, REQUESTS);
        let given: Vec<_> = outcome.groups.iter().map(|group| group.requests).collect();
        let all: u64 = given.iter().sum();
        prop_assert!(all <= REQUESTS + outcome.retries - outcome.refused, "{given:?}");
        prop_assert!(all >= REQUESTS - outcome.errors, "{given:?}");
        // Who is down or has left gets none.
        prop_assert_eq!(given[1], 0);
        prop_assert!(given[2] <= 15, "{given:?}");
        // No server does more than it can.
        prop_assert!(outcome.utilisation.max <= 1.0 + 1e-9, "{:?}", outcome.utilisation);
        // No answer is there before its work is done.
        let shortest = shortest_ms(&text) * 0.999;
        let (first, _) = outcome.distribution[0];
        let is_timed = outcome.errors - outcome.timeouts < REQUESTS;
        prop_assert!(!is_timed || first >= shortest, "{first} {shortest}");
        prop_assert!(outcome.load.at_s.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn where_all_is_well_each_attempt_reaches_a_server(
        balancer in prop::sample::select(BALANCERS.to_vec()),
        (count, concurrency, gateways, workers) in (1..20_u32, 1..4_u32, 1..4_u32, 1..4_u32),
        seed: u64,
    ) {
        let text = format!(
            "requests = 400\narrivals = {{ poisson = {{ rate = 300 }} }}\n\
             work = {{ exponential = {{ mean = \"5ms\" }} }}\n\
             gateways = {{ count = {gateways}, workers = {workers} }}\nnetwork = {{ latency = \"1ms\" }}\n\
             [[servers]]\nname = \"a\"\ncount = {count}\nconcurrency = {concurrency}\n"
        );
        let scenario = Scenario::parse(&text, Path::new("well.toml")).unwrap();
        let policy = Policy::named(balancer);
        let outcome = simulate_one(&scenario, &policy, seed, &workshop(), &mut |_| {}).unwrap();
        prop_assert_eq!((outcome.errors, outcome.retries, outcome.fallbacks), (0, 0, 0));
        prop_assert_eq!(outcome.groups[0].requests, 400);
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
