//! What weights that follow response times promise.

use gatewright_plugin_sdk::testing::{self, check_retries, counts, outcome, refused_key};
use gatewright_plugin_sdk::{Balancer, Ending, Handover, Observer, Outcome, Slot};
use proptest::prelude::*;

use super::{Adaptive, Config};

/// A pool whose slot `i` has the weight `weights[i]`.
fn over(weights: &[u32]) -> Adaptive {
    testing::seat(Config::default(), weights).unwrap()
}

/// What becomes of a request to a slot: none while it is under way.
type Server = fn(Slot) -> Option<Outcome>;

/// Let so many seconds go by, with 200 picks in each.
fn run(policy: &mut Adaptive, seconds: u64, server: Server) {
    for _ in 0..seconds {
        let picked = (0..200).filter_map(|_| policy.pick(0));
        let outcomes: Vec<_> = picked.filter_map(server).collect();
        testing::host(|host| host.now += 1_000_000_001);
        policy.observe(&outcomes);
    }
}

fn weights(policy: &Adaptive) -> Vec<f64> {
    let endpoints = policy.members.endpoints().iter();
    endpoints.map(|endpoint| policy.weight(endpoint)).collect()
}

#[test]
fn a_server_twice_as_quick_gets_twice_the_requests() {
    let mut policy = over(&[1; 2]);
    run(&mut policy, 20, |slot| {
        Some(outcome(slot, [10_000, 20_000][slot as usize]))
    });
    let counts = counts(&mut policy, 2, 3_000);
    assert!(counts[0].abs_diff(2_000) < 20, "{counts:?}");
    let sum: f64 = weights(&policy).iter().sum();
    assert!((sum - 2.0).abs() < 0.01, "{sum}");
}

#[test]
fn equal_servers_keep_their_configured_weights() {
    let mut policy = over(&[1, 3]);
    run(&mut policy, 20, |slot| Some(outcome(slot, 8_000)));
    assert_eq!(counts(&mut policy, 2, 4_000), [1_000, 3_000]);
}

#[test]
fn weights_move_step_by_step_and_stay_in_their_bounds() {
    let mut policy = over(&[1; 2]);
    let server: Server = |slot| Some(outcome(slot, [1_000, 900_000][slot as usize]));
    let mut last = 1.0;
    for _ in 0..30 {
        run(&mut policy, 1, server);
        let share = policy.shares.of(1);
        assert!(
            share >= 0.1 && share <= last && last - share < 0.5,
            "{last} {share}"
        );
        last = share;
    }
    assert!(last < 0.15, "{last}");
    assert!(policy.shares.of(0) <= 3.0);
}

#[test]
fn quick_failures_do_not_attract() {
    let mut policy = over(&[1; 3]);
    run(&mut policy, 30, |slot| {
        let refused = Outcome {
            ending: Ending::ConnectFailed,
            status: 0,
            ..outcome(1, 40)
        };
        Some(if slot == 1 {
            refused
        } else {
            outcome(slot, 5_000)
        })
    });
    assert!(policy.shares.of(1) < 0.12, "{:?}", weights(&policy));
}

#[test]
fn a_server_that_answers_nothing_counts_as_slow_before_any_deadline() {
    let mut policy = over(&[1; 3]);
    testing::host(|host| host.active[2] = 50);
    run(&mut policy, 10, |slot| {
        (slot != 2).then(|| outcome(slot, 5_000))
    });
    assert!(policy.shares.of(2) < 0.15, "{:?}", weights(&policy));
}

#[test]
fn who_hangs_gains_nothing_where_answers_take_longer_than_the_interval() {
    let mut policy = over(&[1; 3]);
    testing::host(|host| host.active[2] = 50);
    run(&mut policy, 20, |slot| {
        (slot != 2).then(|| outcome(slot, 3_000_000))
    });
    assert!(policy.shares.of(2) <= 1.0, "{:?}", weights(&policy));
    // Nor does a server that was known as slow, when nobody answers any more.
    run(&mut policy, 20, |slot| {
        Some(outcome(slot, [5_000, 5_000, 500_000][slot as usize]))
    });
    let known = policy.shares.of(2);
    run(&mut policy, 20, |_| None);
    assert!(policy.shares.of(2) <= known, "{:?}", weights(&policy));
}

#[test]
fn who_recovers_gets_its_weight_back() {
    let mut policy = over(&[1; 2]);
    run(&mut policy, 20, |slot| {
        Some(outcome(slot, [5_000, 500_000][slot as usize]))
    });
    assert!(policy.shares.of(1) < 0.2);
    run(&mut policy, 30, |slot| Some(outcome(slot, 5_000)));
    assert!(
        (policy.shares.of(1) - 1.0).abs() < 0.05,
        "{:?}",
        weights(&policy)
    );
}

#[test]
fn silence_is_no_evidence_for_a_server() {
    let mut policy = over(&[1; 3]);
    run(&mut policy, 20, |slot| {
        Some(outcome(slot, [5_000, 5_000, 500_000][slot as usize]))
    });
    let known = policy.shares.of(2);
    assert!(known < 0.2, "{known}");
    // It is asked, and its clients leave: that says nothing for it.
    run(&mut policy, 30, |slot| {
        let left = Outcome {
            ending: Ending::Abandoned,
            status: 0,
            ..outcome(slot, 100)
        };
        Some(if slot == 2 {
            left
        } else {
            outcome(slot, 5_000)
        })
    });
    assert_eq!(policy.shares.of(2), known);
}

#[test]
fn who_is_not_asked_comes_back_slowly_and_to_its_configured_weight_at_most() {
    let mut policy = over(&[1; 3]);
    run(&mut policy, 20, |slot| {
        Some(outcome(slot, [500_000, 1_000, 5_000][slot as usize]))
    });
    let [slow, quick] = [policy.shares.of(0), policy.shares.of(1)];
    assert!(slow < 0.2 && quick > 1.5, "{slow} {quick}");
    policy.eligible(vec![2]);
    run(&mut policy, 10, |slot| Some(outcome(slot, 5_000)));
    assert!((policy.shares.of(0) - slow - 0.2).abs() < 0.01);
    assert!((quick - policy.shares.of(1) - 0.2).abs() < 0.01);
    run(&mut policy, 200, |slot| Some(outcome(slot, 5_000)));
    assert_eq!((policy.shares.of(0), policy.shares.of(1)), (1.0, 1.0));
}

#[test]
fn the_gauge_of_a_server_that_is_gone_is_zero() {
    let mut policy = over(&[4; 2]);
    run(&mut policy, 3, |slot| Some(outcome(slot, 8_000)));
    policy.update(vec![testing::endpoint(1, 4)]);
    policy.eligible(vec![1]);
    run(&mut policy, 3, |slot| Some(outcome(slot, 8_000)));
    let gauges = testing::host(|host| host.gauges.clone());
    assert_eq!(gauges.get("weight.10.0.0.0:8080"), Some(&0.0));
    assert_eq!(gauges.get("weight.10.0.0.1:8080"), Some(&4.0));
}

#[test]
fn no_more_figures_are_named_than_a_binding_may_have_however_many_servers_come() {
    let mut policy = over(&[1; 2]);
    for first in 0..40 {
        let slots = [2 * first, 2 * first + 1];
        policy.update(slots.map(|slot| testing::endpoint(slot, 1)).to_vec());
        policy.eligible(slots.to_vec());
        run(&mut policy, 1, |slot| Some(outcome(slot, 8_000)));
    }
    assert_eq!(testing::host(|host| host.gauges.len()), 64);
}

#[test]
fn a_successor_has_the_weights_and_the_turn() {
    let mut before = over(&[1; 2]);
    run(&mut before, 20, |slot| {
        Some(outcome(slot, [10_000, 30_000][slot as usize]))
    });
    let (schema, state) = before.save();
    let mut after = over(&[1; 2]);
    after.restore(schema, &state).unwrap();
    assert_eq!(weights(&after), weights(&before));
    let [picks, expected] =
        [&mut after, &mut before].map(|policy| (0..50).map(|_| policy.pick(0)).collect::<Vec<_>>());
    assert_eq!(picks, expected);
    for damaged in [&state[..0], &state[1..], &state[..state.len() - 1], &[9]] {
        assert!(after.restore(schema, damaged).is_err());
    }
    assert!(after.restore(1, &state).is_err());
    assert_eq!(weights(&after), weights(&before));
}

#[test]
fn a_change_of_the_pool_keeps_what_was_measured() {
    let mut policy = over(&[1; 2]);
    run(&mut policy, 20, |slot| {
        Some(outcome(slot, [10_000, 30_000][slot as usize]))
    });
    let known = policy.shares.of(1);
    policy.update(testing::pool(&[2; 3]));
    assert_eq!((policy.shares.of(1), policy.shares.of(2)), (known, 1.0));
}

#[test]
fn the_weights_in_force_are_shown() {
    let mut policy = over(&[4; 2]);
    run(&mut policy, 3, |slot| Some(outcome(slot, 8_000)));
    let gauges = testing::host(|host| host.gauges.clone());
    assert_eq!(gauges.get("weight.10.0.0.1:8080"), Some(&4.0));
    assert_eq!(gauges.len(), 2);
}

#[test]
fn a_retry_avoids_what_was_tried() {
    check_retries(&mut over(&[1; 3]));
}

#[test]
fn settings_are_checked_by_key() {
    let key = |json| refused_key(json, Adaptive::configure).unwrap();
    assert_eq!(key(r#"{"interval_ms":1}"#), "interval_ms");
    assert_eq!(key(r#"{"min_share":0}"#), "min_share");
    assert_eq!(key(r#"{"max_share":0.5}"#), "max_share");
    assert_eq!(key(r#"{"interval":"1s"}"#), "interval");
}

proptest! {
    #[test]
    fn only_eligible_slots_are_picked(slots in prop::collection::btree_set(0_u32..20, 1..20)) {
        let mut policy = over(&[3; 20]);
        run(&mut policy, 2, |slot| Some(outcome(slot, 1_000 * (slot + 1))));
        policy.eligible(slots.iter().copied().collect());
        for _ in 0..50 {
            prop_assert!(slots.contains(&policy.pick(0).unwrap()));
        }
    }

    #[test]
    fn shares_never_leave_their_bounds(
        outcomes in prop::collection::vec((0_u32..4, 0_u32..3_000_000, any::<bool>()), 1..200),
    ) {
        let mut policy = over(&[1, 1, 500, 65_535]);
        for (slot, us, fails) in outcomes {
            let status = if fails { 503 } else { 200 };
            testing::host(|host| host.now += 400_000_000);
            policy.observe(&[Outcome { status, ..outcome(slot, us) }]);
            for slot in 0..4 {
                prop_assert!((0.1..=3.0).contains(&policy.shares.of(slot)));
            }
        }
    }
}
