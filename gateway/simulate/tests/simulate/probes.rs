//! Servers that are asked how busy they are.

use crate::plugin::Plugin;

const IMPORTS: &str = r#"
    (import "gatewright:plugin/load@0.1.0" "reported" (func $reported (param i32 i32)))"#;

/// The first server for as long as the second has said nothing; then the second
/// while its report is at most 100 ms old, and else the third.
const BY_AGE: &str = "(call $reported (i32.const 1) (i32.const 256)) \
    (if (result i32) (i32.eqz (i32.load8_u (i32.const 256))) (then (i32.const 0)) (else \
    (if (result i32) (i32.le_u (i32.load (i32.const 268)) (i32.const 100)) \
    (then (i32.const 1)) (else (i32.const 2)))))";

fn scenario(pool: &str, more: &str) -> String {
    format!(
        "requests = 4000\narrivals = {{ constant = {{ rate = 400 }} }}\n\
         work = {{ constant = {{ time = \"1ms\" }} }}\n[pool]\nhealth = false\n{pool}\
         [[servers]]\nname = \"a\"\nconcurrency = 9\n[[servers]]\nname = \"b\"\nconcurrency = 9\n\
         [[servers]]\nname = \"c\"\nconcurrency = 9\n{more}"
    )
}

fn given(pool: &str, pick: &str, more: &str) -> Vec<u64> {
    let plugin = Plugin {
        interfaces: &["load"],
        imports: IMPORTS,
        update: "",
        pick,
    };
    let outcome = plugin.run(&scenario(pool, more));
    outcome.groups.iter().map(|group| group.requests).collect()
}

const PROBE: &str = "probe = { path = \"/load\", interval = \"400ms\" }\n";

#[test]
fn without_a_probe_servers_say_nothing() {
    assert_eq!(given("", BY_AGE, ""), [4000, 0, 0]);
}

#[test]
fn with_one_they_say_it_each_interval_and_it_ages_in_virtual_time() {
    let given = given(PROBE, BY_AGE, "");
    // The first question comes within an interval.
    assert!(given[0] <= 160, "{given:?}");
    // Then it is young for 100 of 400 ms.
    let young = given[1] as f64 / (given[1] + given[2]) as f64;
    assert!((0.24..=0.27).contains(&young), "{given:?}");
}

#[test]
fn a_server_that_is_down_reports_no_more() {
    let crash = "[[failures]]\nservers = \"b\"\nfrom = \"4s\"\ncrash = true\n";
    let given = given(PROBE, BY_AGE, crash);
    let young = given[1] as f64 / (given[1] + given[2]) as f64;
    assert!((0.09..=0.12).contains(&young), "{given:?}");
}

#[test]
fn they_tell_how_much_they_have_and_how_long_it_takes() {
    // The second server is given everything as long as it says that it has fewer
    // than three requests and takes no more than a millisecond.
    let pick = |of: u32, most: u32| {
        format!(
            "(call $reported (i32.const 1) (i32.const 256)) \
             (if (result i32) (i32.gt_u (i32.load (i32.const {of})) (i32.const {most})) \
             (then (i32.const 0)) (else (i32.const 1)))"
        )
    };
    let slow = "[[failures]]\nservers = \"b\"\nfrom = \"5s\"\nslow = 100.0\n";
    let [in_flight, latency] = [(260, 2), (264, 1000)].map(|(of, most)| {
        let given = given(PROBE, &pick(of, most), slow);
        given[0] as f64 / 4000.0
    });
    // From the middle on it takes 100 ms: it has 9 and a queue, until it is left.
    assert!((0.2..0.5).contains(&in_flight), "{in_flight}");
    assert!((0.4..0.5).contains(&latency), "{latency}");
}
