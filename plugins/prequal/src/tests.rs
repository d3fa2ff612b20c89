//! What the hot and cold rule promises, with reports and without.

use gatewright_plugin_sdk::testing::{self, check_retries, counts, outcome, refused_key};
use gatewright_plugin_sdk::{
    Balancer, Ending, Generator, Handover, Observer, Outcome, Report, Slot,
};
use proptest::prelude::*;

use super::{Config, Prequal, places};

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

/// Hear so much of each that its time is known.
fn hear_much(policy: &mut Prequal, outcomes: &[Outcome], at: u64) {
    for _ in 0..50 {
        hear(policy, outcomes, at);
    }
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
    let times = [outcome(0, 9_000), outcome(1, 2_000), outcome(2, 6_000)];
    hear_much(&mut policy, &times, SECOND);
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
    hear_much(&mut policy, &times, SECOND);
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
    hear_much(&mut policy, &[outcome(0, 2_000), outcome(1, 9_000)], SECOND);
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
fn reports_count_before_the_first_response() {
    let mut policy = over(&[0, 0, 0]);
    report(0, 5, 9_000, 10);
    report(1, 5, 700, 10);
    report(2, 5, 9_000, 10);
    assert_eq!(policy.pick(0), Some(1));
}

#[test]
fn a_server_whose_count_of_requests_is_broken_does_not_look_idle() {
    let mut policy = over(&[3, 3]);
    report(0, u32::MAX, 500, 10);
    report(1, 4, 500, 10);
    assert_eq!(counts(&mut policy, 2, 10), [0, 10]);
}

#[test]
fn what_others_sent_there_is_in_the_report() {
    let mut policy = over(&[3; 2]);
    counts(&mut policy, 2, 100);
    report(0, 90, 500, 10);
    assert_eq!(counts(&mut policy, 2, 10), [0, 10]);
}

#[test]
fn what_was_sent_there_since_a_report_is_added_to_it() {
    let mut policy = over(&[2, 2]);
    report(0, 5, 500, 10);
    report(1, 6, 700, 10);
    assert_eq!(policy.pick(0), Some(0));
    // Ten more are under way there, of which the report knows nothing.
    testing::host(|host| host.active = vec![12, 2]);
    assert_eq!(policy.pick(0), Some(1));
    // All came back, and three of them had been in the report.
    testing::host(|host| host.active = vec![0, 2]);
    assert_eq!(policy.pick(0), Some(0));
    // A later report has all that was under way when it came.
    testing::host(|host| {
        host.active = vec![4, 2];
        host.now += SECOND;
    });
    report(0, 5, 500, 10);
    assert_eq!(policy.pick(0), Some(0));
}

#[test]
fn a_report_that_looks_best_to_all_gets_twice_its_share_of_the_picks_at_most() {
    let mut policy = over(&[0; 10]);
    for round in 0..20 {
        testing::host(|host| host.now += SECOND / 4);
        for slot in 0..10 {
            // The same one has by far the least to do each time.
            report(slot, if slot == 4 { 0 } else { 50 }, 900, 10);
        }
        let counts = counts(&mut policy, 10, 200);
        if round > 0 {
            // 40, give or take what chance brings of new reports; without a limit
            // it would have all picks that meet with it, 60 and more.
            assert!((25..=50).contains(&counts[4]), "{counts:?}");
        }
    }
}

#[test]
fn a_report_that_is_used_up_does_not_send_requests_to_a_busy_server() {
    let mut policy = over(&[0; 2]);
    testing::host(|host| host.now += SECOND);
    report(0, 1, 900, 10);
    report(1, 80, 100, 10);
    assert_eq!(counts(&mut policy, 2, 500), [500, 0]);
}

#[test]
fn that_no_reports_come_is_told_once() {
    let told = || testing::host(|host| host.log.len());
    let mut policy = over(&[0; 3]);
    counts(&mut policy, 3, 50);
    assert_eq!(told(), 0);
    testing::host(|host| host.now += 6 * SECOND);
    counts(&mut policy, 3, 50);
    testing::host(|host| host.now += 60 * SECOND);
    counts(&mut policy, 3, 50);
    assert_eq!(told(), 1);
    let mut policy = over(&[0; 3]);
    report(2, 0, 900, 10);
    counts(&mut policy, 3, 50);
    testing::host(|host| host.now += 60 * SECOND);
    counts(&mut policy, 3, 50);
    assert_eq!(told(), 0);
}

#[test]
fn a_few_servers_have_a_hot_one_too() {
    for size in 2..=6 {
        let mut active = vec![2; size];
        active[0] = 40;
        let mut policy = over(&active);
        let times = (0..size as Slot).map(|slot| outcome(slot, 4_000 + 1_000 * slot));
        hear_much(&mut policy, &times.collect::<Vec<_>>(), SECOND);
        assert_eq!(counts(&mut policy, size, 200)[0], 0, "of {size}");
    }
}

#[test]
fn weights_make_a_difference_where_endpoints_are_busy_and_starve_nobody() {
    let mut policy: Prequal = testing::seat(Config::default(), &[1, 3]).unwrap();
    for _ in 0..400 {
        let slot = policy.pick(0).unwrap() as usize;
        testing::host(|host| host.active[slot] += 1);
        let now = testing::host(|host| host.now) + SECOND / 100;
        hear(&mut policy, &[outcome(slot as Slot, 4_000)], now);
    }
    let active = testing::host(|host| host.active.clone());
    assert!((90..110).contains(&active[0]), "{active:?}");
}

#[test]
fn a_successor_knows_who_is_slow() {
    let mut before = over(&[1, 1]);
    hear_much(&mut before, &[outcome(0, 9_000), outcome(1, 2_000)], SECOND);
    let (schema, state) = before.save();
    let mut after = over(&[1, 1]);
    testing::host(|host| host.now = SECOND);
    after.restore(schema, &state).unwrap();
    assert_eq!(counts(&mut after, 2, 100), [0, 100]);
    assert!(after.restore(0, &state).is_err());
}

#[test]
fn drawn_places_are_different_and_each_comes_as_often() {
    let mut generator = Generator::seeded(4);
    let mut counts = [0; 7];
    for _ in 0..7_000 {
        let drawn: Vec<_> = places(3, 7, &mut generator).collect();
        assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2] && drawn[0] != drawn[2]);
        for place in drawn {
            counts[place] += 1;
        }
    }
    // Seven standard deviations around the mean of 3,000.
    assert!(
        counts.iter().all(|count| (2_700..3_300).contains(count)),
        "{counts:?}"
    );
    let all: std::collections::BTreeSet<_> = places(16, 5, &mut generator).collect();
    assert_eq!(all.len(), 5);
    assert_eq!(places(3, 0, &mut generator).count(), 0);
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
