//! What draws by weight promise.

use gatewright_plugin_sdk::testing::{self, counts};
use gatewright_plugin_sdk::{Balancer, NoConfig};
use proptest::prelude::*;

use super::WeightedRandom;
use super::alias::Alias;

/// A pool whose slot `i` has the weight `weights[i]`.
fn over(weights: &[u32]) -> WeightedRandom {
    testing::seat(NoConfig, weights).unwrap()
}

#[test]
fn shares_follow_the_weights() {
    let counts = counts(&mut over(&[1, 2, 5]), 3, 80_000);
    for (count, expected) in counts.iter().zip([10_000, 20_000, 50_000]) {
        // Seven standard deviations of the largest share.
        assert!(count.abs_diff(expected) < 1_000, "{counts:?}");
    }
}

#[test]
fn a_draw_does_not_depend_on_the_one_before() {
    let mut policy = over(&[1, 1]);
    let picks: Vec<_> = (0..20_000).map(|_| policy.pick(0)).collect();
    let alike = picks.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!((9_500..10_500).contains(&alike), "{alike}");
}

#[test]
fn a_retry_draws_among_the_untried_by_weight() {
    let mut policy = over(&[9, 1, 3, 7]);
    testing::host(|host| host.request.tried = vec![0, 3]);
    let counts = counts(&mut policy, 4, 40_000);
    assert_eq!((counts[0], counts[3]), (0, 0));
    assert!(counts[1].abs_diff(10_000) < 700, "{counts:?}");
    testing::host(|host| host.request.tried = vec![0, 1, 2, 3]);
    assert_eq!(policy.pick(0), None);
    testing::reset();
}

#[test]
fn nothing_eligible_is_no_opinion() {
    assert_eq!(over(&[]).pick(0), None);
}

proptest! {
    #[test]
    fn the_table_has_the_weights_exactly(weights in prop::collection::vec(1_u32..=65_535, 1..200)) {
        let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        for (drawn, weight) in Alias::of(&weights).probabilities().iter().zip(&weights) {
            // A mark is cut to 2⁻³² of a column.
            prop_assert!((drawn - f64::from(*weight) / sum).abs() < 1e-8);
        }
    }

    #[test]
    fn only_eligible_slots_are_picked(slots in prop::collection::btree_set(0_u32..20, 1..20)) {
        let mut policy = over(&[3; 20]);
        policy.eligible(slots.iter().copied().collect());
        for _ in 0..50 {
            prop_assert!(slots.contains(&policy.pick(0).unwrap()));
        }
    }
}
