//! What preferring the quick promises.

use gatewright_plugin_sdk::testing::{self, check_retries, outcome, refused_key};
use gatewright_plugin_sdk::{Balancer, Ending, Generator, Handover, Observer, Outcome};
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
fn internal_errors_count_as_slow_too() {
    let mut policy = over(&[1; 2]);
    let quick_error = Outcome {
        status: 500,
        ..outcome(1, 100)
    };
    hear(&mut policy, &[outcome(0, 5_000), quick_error], SECOND);
    assert_eq!(counts(&mut policy, 2), [3_000, 0]);
}

/// The picks of each of five equal servers in 40 s of 500 requests a second, one
/// of which is always under way on each, and which fail so often in a thousand.
fn picked_of_five(failing: [u32; 5]) -> [u32; 5] {
    let mut policy = over(&[1; 5]);
    testing::host(|host| host.active = vec![1; 5]);
    let mut chance = Generator::seeded(5);
    let mut picked = [0; 5];
    for tick in 0..4_000 {
        let outcomes: Vec<_> = (0..5)
            .map(|_| {
                let slot = policy.pick(0).unwrap();
                picked[slot as usize] += 1;
                let us = 4_000 + chance.below(2_000);
                let status = match chance.below(1_000) < failing[slot as usize] {
                    true => 500,
                    false => 200,
                };
                Outcome {
                    status,
                    ..outcome(slot, us)
                }
            })
            .collect();
        hear(&mut policy, &outcomes, SECOND + tick * SECOND / 100);
    }
    picked
}

#[test]
fn errors_that_all_have_alike_blind_nobody() {
    let [without, with] = [picked_of_five([0; 5]), picked_of_five([10; 5])];
    for (without, with) in without.into_iter().zip(with) {
        // 4,000 each, were all equal all the time.
        assert!((3_000..5_000).contains(&without), "{without}");
        assert!((3_000..5_000).contains(&with), "{with}");
    }
}

#[test]
fn a_server_that_fails_every_other_time_gets_far_less() {
    let picked = picked_of_five([10, 10, 500, 10, 10]);
    assert!(picked[2] < 400, "{picked:?}");
}

#[test]
fn a_successor_avoids_whom_the_predecessor_avoided() {
    let mut before = over(&[1; 2]);
    let slow = [outcome(0, 5_000), outcome(1, 900_000)];
    hear(&mut before, &slow, SECOND);
    let (schema, state) = before.save();
    let mut after = over(&[1; 2]);
    testing::host(|host| host.now = 2 * SECOND);
    after.restore(schema, &state).unwrap();
    assert_eq!(counts(&mut after, 2), [3_000, 0]);
    assert!(after.restore(schema + 1, &state).is_err());
    assert!(after.restore(schema, &state[1..]).is_err());
    assert_eq!(counts(&mut after, 2), [3_000, 0]);
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
