//! What two random choices promise.

use gatewright_plugin_sdk::testing::{self, check_retries, counts};
use gatewright_plugin_sdk::{Balancer, NoConfig};
use proptest::prelude::*;

use super::PowerOfTwo;

/// A pool whose slot `i` has the weight `weights[i]`, with this much load.
fn over(weights: &[u32], active: &[u32]) -> PowerOfTwo {
    let policy = testing::seat(NoConfig, weights);
    testing::host(|host| host.active = active.to_vec());
    policy.unwrap()
}

#[test]
fn equally_busy_endpoints_are_picked_evenly() {
    let counts = counts(&mut over(&[1; 10], &[4; 10]), 10, 50_000);
    // Seven standard deviations around the mean of 5,000.
    assert!(
        counts.iter().all(|count| (4_500..5_500).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn weight_divides_load() {
    // 30 / 4 is less than 8 / 1.
    assert_eq!(counts(&mut over(&[4, 1], &[30, 8]), 2, 50), [50, 0]);
}

#[test]
fn an_empty_pool_is_no_opinion_and_a_single_endpoint_is_picked() {
    assert_eq!(over(&[], &[]).pick(0), None);
    assert_eq!(over(&[1], &[7]).pick(0), Some(0));
}

#[test]
fn a_retry_avoids_what_was_tried() {
    check_retries(&mut over(&[1, 1, 1], &[0, 9, 0]));
}

#[test]
fn loads_stay_close_where_one_draw_would_let_them_drift() {
    let mut policy = over(&[1; 100], &[0; 100]);
    for _ in 0..10_000 {
        let slot = policy.pick(0).unwrap() as usize;
        testing::host(|host| host.active[slot] += 1);
    }
    let load = testing::host(|host| host.active.clone());
    // The mean is 100. Two choices stay within a few of it; one would reach 130.
    assert!(load.iter().all(|load| (92..108).contains(load)), "{load:?}");
}

proptest! {
    #[test]
    fn the_busiest_endpoint_is_never_picked(
        mut active in prop::collection::vec(0_u32..100, 2..30),
        busiest in any::<prop::sample::Index>(),
    ) {
        let busiest = busiest.index(active.len());
        active[busiest] = 1_000;
        let mut policy = over(&vec![1; active.len()], &active);
        prop_assert_eq!(counts(&mut policy, active.len(), 100)[busiest], 0);
    }

    #[test]
    fn only_eligible_slots_are_picked(slots in prop::collection::btree_set(0_u32..20, 1..20)) {
        let mut policy = over(&[3; 20], &[1; 20]);
        policy.eligible(slots.iter().copied().collect());
        for _ in 0..50 {
            prop_assert!(slots.contains(&policy.pick(0).unwrap()));
        }
    }
}
