//! What the hot and cold rule promises, with reports and without.

use gatewright_plugin_sdk::testing::{self, check_retries, counts, outcome, refused_key};
use gatewright_plugin_sdk::{Balancer, Ending, Observer, Outcome, Report, Slot};
use proptest::prelude::*;

use super::{Config, Prequal};

const SECOND: u64 = 1_000_000_000;

/// A pool of so many endpoints with this much in flight.
fn over(active: &[u32]) -> Prequal {
    let policy = testing::seat(Config::default(), &vec![1; active.len()]);
    testing::host(|host| host.active = active.to_vec());
    policy.unwrap()
}

fn hear(policy: &mut Prequal, outcomes: &[Outcome], at: u64) {
    testing::host(|host| host.now = at);
    policy.observe(outcomes);
}

fn report(slot: Slot, in_flight: u32, latency_us: u32, age_ms: u32) {
    let report = Report {
        in_flight,
        latency_us,
        age_ms,
    };
    testing::host(|host| host.reports.insert(slot, report));
}

#[test]
fn of_the_cold_ones_the_quickest_is_picked_though_it_has_more_to_do() {
    let mut policy = over(&[1, 2, 2]);
    let times = [outcome(0, 9_000), outcome(1, 3_000), outcome(2, 6_000)];
    hear(&mut policy, &times, SECOND);
    assert_eq!(counts(&mut policy, 3, 300), [0, 300, 0]);
}

#[test]
fn a_hot_one_is_avoided_though_it_is_quick() {
    let mut active = vec![2; 20];
    active[7] = 60;
    let mut policy = over(&active);
    let slots = 0..20;
    let times: Vec<_> = slots
        .map(|slot| outcome(slot, if slot == 7 { 100 } else { 5_000 }))
        .collect();
    hear(&mut policy, &times, SECOND);
    counts(&mut policy, 20, 100);
    assert_eq!(counts(&mut policy, 20, 2_000)[7], 0);
}

#[test]
fn where_all_are_hot_the_one_with_the_least_in_flight_is_picked() {
    let mut policy = over(&[3, 3, 3]);
    counts(&mut policy, 3, 100);
    testing::host(|host| host.active = vec![40, 30, 50]);
    assert_eq!(policy.pick(0), Some(1));
}

#[test]
fn before_any_response_picks_follow_the_load() {
    assert_eq!(counts(&mut over(&[3, 1, 2]), 3, 200), [0, 200, 0]);
}

#[test]
fn fresh_reports_count_more_than_what_is_seen_from_here() {
    let mut policy = over(&[1, 1]);
    hear(&mut policy, &[outcome(0, 2_000), outcome(1, 3_000)], SECOND);
    assert_eq!(counts(&mut policy, 2, 100), [100, 0]);
    report(0, 1, 2_500, 10);
    report(1, 1, 700, 10);
    assert_eq!(counts(&mut policy, 2, 100), [0, 100]);
    // Both are too old to count.
    report(0, 1, 2_500, 1_001);
    report(1, 1, 700, 5_000);
    assert_eq!(counts(&mut policy, 2, 100), [100, 0]);
}

#[test]
fn what_others_sent_there_is_in_the_report() {
    let mut policy = over(&[3; 2]);
    counts(&mut policy, 2, 100);
    report(0, 90, 500, 10);
    assert_eq!(counts(&mut policy, 2, 10), [0, 10]);
}

#[test]
fn a_server_that_fails_in_no_time_is_not_believed() {
    let mut policy = over(&[2, 0, 2]);
    let refused = Outcome {
        ending: Ending::ConnectFailed,
        status: 0,
        ..outcome(1, 30)
    };
    report(1, 0, 50, 10);
    let mut asked = [0; 3];
    for round in 1..300 {
        let slot = policy.pick(0).unwrap();
        asked[slot as usize] += 1;
        let outcome = if slot == 1 {
            refused
        } else {
            outcome(slot, 5_000)
        };
        hear(&mut policy, &[outcome], SECOND + round * SECOND / 200);
    }
    assert!(asked[1] < 20, "{asked:?}");
}

#[test]
fn equal_servers_share_evenly() {
    let counts = counts(&mut over(&[0; 10]), 10, 20_000);
    // Eleven standard deviations around the mean of 2,000.
    assert!(
        counts.iter().all(|count| (1_500..2_500).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn a_retry_avoids_what_was_tried() {
    check_retries(&mut over(&[0; 3]));
}

#[test]
fn settings_are_checked_by_key() {
    let key = |json| refused_key(json, Prequal::configure).unwrap();
    assert_eq!(key(r#"{"choices":1}"#), "choices");
    assert_eq!(key(r#"{"hot_quantile":1.5}"#), "hot_quantile");
    assert_eq!(key(r#"{"max_age_ms":1}"#), "max_age_ms");
    assert_eq!(key(r#"{"probes":3}"#), "probes");
}

proptest! {
    #[test]
    fn only_eligible_slots_are_picked(slots in prop::collection::btree_set(0_u32..20, 1..20)) {
        let mut policy = over(&(0..20).collect::<Vec<_>>());
        policy.eligible(slots.iter().copied().collect());
        for _ in 0..50 {
            prop_assert!(slots.contains(&policy.pick(0).unwrap()));
        }
    }
}
