//! What preferring the quick promises.

use gatewright_plugin_sdk::testing::{self, check_retries, outcome, refused_key};
use gatewright_plugin_sdk::{Balancer, Ending, Observer, Outcome};
use proptest::prelude::*;

use super::{Config, PeakEwma};

const SECOND: u64 = 1_000_000_000;

/// A pool whose slot `i` has the weight `weights[i]` and nothing in flight.
fn over(weights: &[u32]) -> PeakEwma {
    testing::seat(Config::default(), weights).unwrap()
}

fn counts(policy: &mut PeakEwma, pool: usize) -> Vec<u32> {
    testing::counts(policy, pool, 3_000)
}

fn hear(policy: &mut PeakEwma, outcomes: &[Outcome], at: u64) {
    testing::host(|host| host.now = at);
    policy.observe(outcomes);
}

#[test]
fn nothing_in_flight_and_nothing_known_is_even() {
    let counts = counts(&mut over(&[1; 3]), 3);
    assert!(
        counts.iter().all(|count| (850..1_150).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn before_any_response_requests_in_flight_decide() {
    let mut policy = over(&[1; 2]);
    testing::host(|host| host.active = vec![3, 1]);
    assert_eq!(counts(&mut policy, 2), [0, 3_000]);
}

#[test]
fn a_server_twice_as_quick_bears_twice_the_requests() {
    let mut policy = over(&[1; 2]);
    hear(
        &mut policy,
        &[outcome(0, 10_000), outcome(1, 20_000)],
        SECOND,
    );
    // 10 ms × 3 is less than 20 ms × 2, and 10 ms × 4 more than 20 ms × 1.
    testing::host(|host| host.active = vec![2, 1]);
    assert_eq!(counts(&mut policy, 2), [3_000, 0]);
    testing::host(|host| host.active = vec![3, 0]);
    assert_eq!(counts(&mut policy, 2), [0, 3_000]);
}

#[test]
fn weight_divides_the_cost() {
    let mut policy = over(&[1, 4]);
    hear(
        &mut policy,
        &[outcome(0, 10_000), outcome(1, 30_000)],
        SECOND,
    );
    assert_eq!(counts(&mut policy, 2), [0, 3_000]);
}

#[test]
fn one_slow_response_is_enough_to_be_avoided_and_is_forgotten() {
    let mut policy = over(&[1; 2]);
    hear(
        &mut policy,
        &[outcome(0, 10_000), outcome(1, 9_000)],
        SECOND,
    );
    hear(&mut policy, &[outcome(1, 2_000_000)], 2 * SECOND);
    assert_eq!(counts(&mut policy, 2), [3_000, 0]);
    // Nobody is asked to prove it: with time alone it is thought usual again.
    testing::host(|host| host.active = vec![1, 0]);
    for second in 3..90 {
        hear(&mut policy, &[outcome(0, 10_000); 20], second * SECOND);
    }
    assert_eq!(counts(&mut policy, 2), [0, 3_000]);
}

#[test]
fn a_server_that_refuses_at_once_does_not_attract_everything() {
    let mut policy = over(&[1; 3]);
    let refused = Outcome {
        ending: Ending::ConnectFailed,
        status: 0,
        ..outcome(1, 50)
    };
    let mut asked = [0; 3];
    // Two requests are always under way on the servers that work.
    testing::host(|host| host.active = vec![2, 0, 2]);
    for round in 1..400 {
        let slot = policy.pick(0).unwrap();
        asked[slot as usize] += 1;
        let outcome = if slot == 1 {
            refused
        } else {
            outcome(slot, 5_000)
        };
        hear(&mut policy, &[outcome], round * SECOND / 100);
    }
    assert!(asked[1] < 20, "{asked:?}");
}

#[test]
fn an_internal_error_counts_as_slow_too() {
    let mut policy = over(&[1; 2]);
    let quick_error = Outcome {
        status: 500,
        ..outcome(1, 100)
    };
    hear(&mut policy, &[outcome(0, 5_000), quick_error], SECOND);
    assert_eq!(counts(&mut policy, 2), [3_000, 0]);
}

#[test]
fn a_retry_avoids_what_was_tried() {
    check_retries(&mut over(&[1; 3]));
}

#[test]
fn settings_are_checked_by_key() {
    let key = |json| refused_key(json, PeakEwma::configure).unwrap();
    assert_eq!(key(r#"{"decay_s":0}"#), "decay_s");
    assert_eq!(key(r#"{"penalty_ms":0}"#), "penalty_ms");
    assert_eq!(key(r#"{"decay":"10s"}"#), "decay");
}

proptest! {
    #[test]
    fn only_eligible_slots_are_picked(slots in prop::collection::btree_set(0_u32..20, 1..20)) {
        let mut policy = over(&[3; 20]);
        policy.eligible(slots.iter().copied().collect());
        for _ in 0..50 {
            prop_assert!(slots.contains(&policy.pick(0).unwrap()));
        }
    }
}
