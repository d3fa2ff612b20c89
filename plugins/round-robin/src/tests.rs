//! What round robin promises, over any pool and any history.

use std::collections::BTreeMap;

use gatewright_plugin_sdk::{Balancer, Slot, testing};
use proptest::prelude::*;

use super::RoundRobin;

fn over(slots: &[Slot]) -> RoundRobin {
    let mut policy = RoundRobin::default();
    policy.eligible(slots.to_vec());
    policy
}

fn spread(counts: impl Iterator<Item = u32> + Clone) -> u32 {
    counts.clone().max().unwrap_or(0) - counts.min().unwrap_or(0)
}

#[test]
fn nothing_eligible_is_no_opinion() {
    assert_eq!(over(&[]).pick(1), None);
}

#[test]
fn a_retry_avoids_what_was_tried_and_costs_nobody_a_turn() {
    testing::reset();
    let mut policy = over(&[0, 1, 2]);
    let first = policy.pick(0).unwrap();
    let due = (first + 1) % 3;
    testing::host(|host| host.request.tried = vec![due, first]);
    assert_eq!(policy.pick(0), Some((first + 2) % 3));
    testing::reset();
    assert_eq!(policy.pick(0), Some(due));
}

#[test]
fn a_retry_with_nothing_left_to_try_is_no_opinion() {
    let mut policy = over(&[3, 4]);
    testing::host(|host| host.request.tried = vec![4, 3]);
    assert_eq!(policy.pick(0), None);
    testing::reset();
}

#[test]
fn workers_start_at_different_endpoints() {
    let starts: std::collections::BTreeSet<_> = (0..64)
        .map(|key| over(&[0, 1, 2, 3]).pick(key).unwrap())
        .collect();
    assert_eq!(starts.len(), 4);
}

#[test]
fn an_endpoint_that_joins_the_pool_takes_its_turn() {
    let mut policy = over(&[0, 1]);
    policy.pick(0);
    policy.eligible(vec![0, 1, 2]);
    let picked: Vec<_> = (0..3).map(|_| policy.pick(0).unwrap()).collect();
    assert!(picked.contains(&2));
}

proptest! {
    #[test]
    fn counts_are_even_to_one(
        slots in prop::collection::btree_set(0_u32..2000, 1..40),
        key: u64,
        picks in 0_usize..500,
    ) {
        let slots: Vec<_> = slots.into_iter().collect();
        let mut policy = over(&slots);
        let mut counts: BTreeMap<_, u32> = slots.iter().map(|slot| (*slot, 0)).collect();
        for _ in 0..picks {
            *counts.get_mut(&policy.pick(key).unwrap()).unwrap() += 1;
        }
        prop_assert!(spread(counts.values().copied()) <= 1);
    }

    #[test]
    fn those_that_stay_are_even_to_one_whatever_the_others_do(
        staying in prop::collection::btree_set(0_u32..20, 1..8),
        history in prop::collection::vec((prop::collection::btree_set(0_u32..20, 0..12), 0_usize..9), 1..40),
        key: u64,
    ) {
        let mut policy = RoundRobin::default();
        let mut counts: BTreeMap<_, u32> = staying.iter().map(|slot| (*slot, 0)).collect();
        for (others, picks) in history {
            policy.eligible(others.union(&staying).copied().collect());
            for _ in 0..picks {
                if let Some(count) = counts.get_mut(&policy.pick(key).unwrap()) {
                    *count += 1;
                }
            }
        }
        prop_assert!(spread(counts.values().copied()) <= 1, "{counts:?}");
    }

    #[test]
    fn only_eligible_slots_are_picked(
        slots in prop::collection::btree_set(0_u32..50, 1..10),
        tried in prop::collection::vec(0_u32..50, 0..6),
        key: u64,
    ) {
        testing::host(|host| host.request.tried = tried.clone());
        let mut policy = over(&slots.iter().copied().collect::<Vec<_>>());
        for _ in 0..20 {
            if let Some(slot) = policy.pick(key) {
                prop_assert!(slots.contains(&slot) && !tried.contains(&slot));
            }
        }
    }
}
