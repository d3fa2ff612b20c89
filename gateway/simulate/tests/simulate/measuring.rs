//! What counts, and that nothing counts that should not.

use gatewright_simulate::{Policy, simulate_one};

use crate::plugin::Plugin;
use crate::support::{refusal, run, scenario, workshop};

#[test]
fn a_simulation_that_ends_within_its_warm_up_is_refused() {
    let text = "duration = \"20s\"\nwarm_up = \"10s\"\n\
        arrivals = { constant = { rate = 100 } }\nwork = { constant = { time = \"1ms\" } }\n\
        [[servers]]\nname = \"s\"\n";
    let outcome = |requests| {
        let scenario = scenario(text).shortened_to(requests);
        let policy = Policy::named("round-robin");
        simulate_one(&scenario, &policy, 1, &workshop(), &mut |_| {})
    };
    let told = outcome(500).unwrap_err().to_string();
    for part in ["all 500 requests", "warm-up of 10s", "--requests"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(outcome(1100).unwrap().requests, 101);
}

#[test]
fn a_server_that_has_left_is_not_idle() {
    // Each of four has a request of 10 ms a quarter of the time; when one has
    // left, each of the others a third of it.
    let text = "duration = \"10s\"\narrivals = { constant = { rate = 100 } }\n\
        work = { constant = { time = \"10ms\" } }\n\
        [[servers]]\nname = \"stays\"\ncount = 3\nconcurrency = 9\n\
        [[servers]]\nname = \"leaves\"\nconcurrency = 9\nleaves = \"5s\"\n\
        [[servers]]\nname = \"late\"\nconcurrency = 9\njoins = \"1m\"\n";
    let outcome = run("round-robin", text, 1);
    // 7/24 over the mean of that and 1/4.
    let expected = (7.0 / 24.0) / ((3.0 * 7.0 / 24.0 + 0.25) / 4.0);
    assert!(
        (outcome.imbalance - expected).abs() < 0.01,
        "{}",
        outcome.imbalance
    );
    let (used, leaver) = (outcome.utilisation, &outcome.groups[1]);
    assert!((used.min - 0.25 / 9.0).abs() < 0.001, "{}", used.min);
    assert!((leaver.utilisation - 0.25 / 9.0).abs() < 0.001);
}

#[test]
fn servers_that_warm_up_do_so_in_one_row_of_steps() {
    let text = "duration = \"20s\"\narrivals = { constant = { rate = 100 } }\n\
        work = { constant = { time = \"1ms\" } }\n[pool]\nhealth = false\nslow_start = \"5s\"\n\
        [[servers]]\nname = \"s\"\ncount = 20\n\
        [[churn]]\nservers = \"s\"\nevery = \"100ms\"\naway = \"300ms\"\n";
    let warming = run("round-robin", text, 1).events;
    let cold = run("round-robin", &text.replace("slow_start = \"5s\"", ""), 1).events;
    // A step each 50 ms, however many warm up.
    let steps = warming.abs_diff(cold);
    assert!(steps <= 400 + 40, "{steps}");
}

#[test]
fn how_long_a_plugin_takes_on_this_machine_changes_nothing() {
    // Far longer than an update may take in a gateway.
    let slow = Plugin {
        update: "(local $n i64) (local $sum i64) (local.set $n (i64.const 100000000)) \
            (loop $again \
            (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (local.get $n))) \
            (local.set $n (i64.sub (local.get $n) (i64.const 1))) \
            (br_if $again (i64.ne (local.get $n) (i64.const 0)))) \
            (i64.store (i32.const 512) (local.get $sum))",
        pick: "(i32.const 0)",
        ..Plugin::default()
    };
    let text = "duration = \"3s\"\narrivals = { constant = { rate = 100 } }\n\
        work = { constant = { time = \"1ms\" } }\n\
        [[servers]]\nname = \"s\"\ncount = 2\n\
        [[servers]]\nname = \"late\"\njoins = \"1s\"\n";
    let outcome = slow.run(text);
    assert_eq!((outcome.faults, outcome.fallbacks), (0, 0));
}

#[test]
fn what_is_not_simulated_is_refused() {
    let scenario = |pool: &str| {
        format!(
            "duration = \"1s\"\narrivals = {{ poisson = {{ rate = 1 }} }}\n\
             work = {{ constant = {{ time = \"1ms\" }} }}\n[pool]\n{pool}\n\
             [[servers]]\nname = \"s\"\n"
        )
    };
    for (pool, key) in [
        ("affinity = \"sticky-cookie\"", "affinity"),
        ("hash_key = \"path\"", "hash_key"),
        ("hedge = { after = \"50ms\" }", "hedge"),
        ("max_active = 7", "max_active"),
        ("maintenance = true", "maintenance"),
        ("mirror = \"other\"", "mirror"),
        ("faults = {}", "faults"),
    ] {
        let refused = refusal(&scenario(pool));
        let told = format!("scenario.toml:5: pool.{key}: ");
        assert!(refused.contains(&told), "{refused}");
        assert!(refused.contains("not simulated; leave it out"), "{refused}");
    }
}
