//! What weighted round robin promises, over any weights and any history.

use std::collections::{BTreeMap, BTreeSet};

use gatewright_plugin_sdk::testing::{self, endpoint};
use gatewright_plugin_sdk::{Balancer, Handover, Slot};
use proptest::prelude::*;

use super::Weighted;

/// A pool whose slot `i` has the weight `weights[i]`, all eligible.
fn over(weights: &[u32]) -> Weighted {
    let mut policy = Weighted::default();
    let members = (0..).zip(weights);
    policy.update(
        members
            .map(|(slot, weight)| endpoint(slot, *weight))
            .collect(),
    );
    policy.eligible((0..weights.len() as Slot).collect());
    policy
}

fn picks(policy: &mut Weighted, key: u64, count: usize) -> Vec<Slot> {
    (0..count).map(|_| policy.pick(key).unwrap()).collect()
}

/// Whether every window of the weights' sum has every endpoint as often as it weighs.
fn windows_meet(weights: &BTreeMap<Slot, u32>, picked: &[Slot]) -> bool {
    let sum: u32 = weights.values().sum();
    picked.windows(sum as usize).all(|window| {
        let mut counts: BTreeMap<Slot, u32> = BTreeMap::new();
        for slot in window {
            *counts.entry(*slot).or_default() += 1;
        }
        counts == *weights
    })
}

fn by_slot(weights: &[u32]) -> BTreeMap<Slot, u32> {
    (0..).zip(weights.iter().copied()).collect()
}

#[test]
fn picks_of_the_heaviest_are_spread_out() {
    let picked = picks(&mut over(&[4, 2, 2]), 1, 80);
    let longest = picked
        .chunk_by(|one, other| one == other)
        .map(<[_]>::len)
        .max();
    assert!(longest <= Some(2), "{picked:?}");
}

#[test]
fn nothing_eligible_is_no_opinion() {
    let mut policy = over(&[1, 2]);
    policy.eligible(Vec::new());
    assert_eq!(policy.pick(1), None);
}

#[test]
fn a_successor_goes_on_where_its_predecessor_was() {
    let weights = [3, 1, 2, 2];
    let (mut whole, mut first) = (over(&weights), over(&weights));
    let expected = picks(&mut whole, 9, 40);
    let mut picked = picks(&mut first, 9, 13);
    let (schema, state) = first.save();
    let mut second = over(&weights);
    second.restore(schema, &state).unwrap();
    picked.extend(picks(&mut second, 77, 27));
    assert_eq!(picked, expected);
}

#[test]
fn an_unknown_or_damaged_past_is_refused_and_survived() {
    let mut policy = over(&[1, 1]);
    assert!(policy.restore(99, &[]).is_err());
    assert!(policy.restore(1, &[1, 2, 3]).is_err());
    assert!(policy.restore(1, &[0; 24]).is_err());
    assert!(policy.pick(1).is_some());
}

#[test]
fn a_predecessor_without_requests_leaves_no_past() {
    let (schema, state) = over(&[1]).save();
    assert_eq!(over(&[1]).restore(schema, &state), Ok(()));
}

#[test]
fn a_retry_avoids_what_was_tried_and_costs_nobody_a_turn() {
    testing::reset();
    let mut policy = over(&[1, 1, 1]);
    let round = picks(&mut policy, 3, 3);
    testing::host(|host| host.request.tried = vec![round[0]]);
    assert_eq!(policy.pick(3), Some(round[1]));
    testing::reset();
    assert_eq!(policy.pick(3), Some(round[0]));
}

proptest! {
    #[test]
    fn every_window_of_the_sum_meets_the_weights(
        weights in prop::collection::vec(1_u32..12, 1..10),
        key: u64,
    ) {
        let sum: u32 = weights.iter().sum();
        let picked = picks(&mut over(&weights), key, 3 * sum as usize);
        prop_assert!(windows_meet(&by_slot(&weights), &picked), "{picked:?}");
    }

    #[test]
    fn windows_are_met_again_after_any_history(
        weights in prop::collection::vec(1_u32..9, 2..8),
        history in prop::collection::vec((prop::collection::btree_set(0_u32..8, 1..8), 0_usize..20), 1..12),
        reweighed in 1_u32..9,
        key: u64,
    ) {
        let mut policy = over(&weights);
        let mut weights = weights;
        for (slots, picks) in history {
            policy.eligible(slots.into_iter().collect());
            for _ in 0..picks {
                policy.pick(key);
            }
        }
        weights[0] = reweighed;
        policy.update((0..).zip(&weights).map(|(slot, weight)| endpoint(slot, *weight)).collect());
        policy.eligible((0..weights.len() as Slot).collect());
        let sum: u32 = weights.iter().sum();
        let picked = picks(&mut policy, key, 2 * sum as usize);
        prop_assert!(windows_meet(&by_slot(&weights), &picked), "{picked:?}");
    }

    #[test]
    fn shares_hold_all_along(
        weights in prop::collection::vec(1_u32..=65_535, 1..12),
        key: u64,
    ) {
        let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut policy = over(&weights);
        let mut counts = vec![0_u32; weights.len()];
        for picked in 1..=2_000 {
            counts[policy.pick(key).unwrap() as usize] += 1;
            for (count, weight) in counts.iter().zip(&weights) {
                let share = f64::from(*weight) / sum;
                let due = f64::from(picked) * share;
                // Half a mark at either end of the hand's way for the endpoint
                // itself, and for every other its share of theirs.
                let slack = 1.0 + weights.len() as f64 * share;
                prop_assert!((f64::from(*count) - due).abs() <= slack, "{count} of {due}");
            }
        }
    }

    #[test]
    fn only_eligible_slots_are_picked(
        slots in prop::collection::btree_set(0_u32..10, 1..10),
        tried in prop::collection::vec(0_u32..10, 0..4),
        key: u64,
    ) {
        let mut policy = over(&[2, 1, 3, 1, 1, 4, 1, 2, 1, 9]);
        policy.eligible(slots.iter().copied().collect());
        testing::host(|host| host.request.tried = tried.clone());
        let picked: BTreeSet<_> = (0..30).filter_map(|_| policy.pick(key)).collect();
        testing::reset();
        prop_assert!(picked.is_subset(&slots));
        prop_assert!(picked.iter().all(|slot| !tried.contains(slot)));
    }
}
