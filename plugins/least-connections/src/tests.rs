//! What least connections promises, for any column of loads.

use gatewright_plugin_sdk::testing::endpoint;
use gatewright_plugin_sdk::{ScanningBalancer, UNUSABLE};
use proptest::prelude::*;

use super::LeastConnections;

/// A pool whose slot `i` has the weight `weights[i]`; 0: no endpoint.
fn over(weights: &[u32]) -> LeastConnections {
    let mut policy = LeastConnections::default();
    let members = (0..).zip(weights).filter(|(_, weight)| **weight > 0);
    policy.update(
        members
            .map(|(slot, weight)| endpoint(slot, *weight))
            .collect(),
    );
    policy
}

fn picks(policy: &mut LeastConnections, load: &[u32], count: usize) -> Vec<u32> {
    (0..count).filter_map(|_| policy.pick(0, load)).collect()
}

#[test]
fn equally_busy_endpoints_take_turns_even_behind_busy_ones() {
    let mut policy = over(&[1; 5]);
    assert_eq!(picks(&mut policy, &[3, 3, 9, 9, 9], 4), [0, 1, 0, 1]);
}

#[test]
fn an_idle_pool_of_unequal_weights_takes_turns_too() {
    let mut policy = over(&[1, 5, 2]);
    assert_eq!(picks(&mut policy, &[0, 0, 0], 4), [0, 1, 2, 0]);
}

#[test]
fn twice_the_weight_bears_twice_the_requests() {
    let mut policy = over(&[1, 2]);
    let mut load = [0, 0];
    for _ in 0..300 {
        load[policy.pick(0, &load).unwrap() as usize] += 1;
    }
    assert_eq!(load, [100, 200]);
}

#[test]
fn no_usable_slot_is_no_opinion() {
    assert_eq!(over(&[1, 1]).pick(0, &[UNUSABLE, UNUSABLE]), None);
    assert_eq!(over(&[1, 2]).pick(0, &[UNUSABLE, UNUSABLE]), None);
    assert_eq!(over(&[]).pick(0, &[]), None);
}

#[test]
fn a_column_that_shrank_is_scanned_whole() {
    let mut policy = over(&[1; 4]);
    assert_eq!(policy.pick(0, &[5, 5, 5, 1]), Some(3));
    assert_eq!(policy.pick(0, &[5, 2]), Some(1));
}

fn columns() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let load = prop_oneof![4 => 0_u32..6, 1 => Just(UNUSABLE), 1 => 0..UNUSABLE];
    let weight = prop_oneof![3 => Just(1_u32), 2 => 1_u32..=65_535];
    prop::collection::vec((load, weight), 1..60)
}

proptest! {
    #[test]
    fn a_busier_endpoint_is_never_picked(column in columns(), rounds in 1_usize..5) {
        let (load, weights): (Vec<_>, Vec<_>) = column.iter().copied().unzip();
        let mut policy = over(&weights);
        for _ in 0..rounds {
            match policy.pick(0, &load) {
                None => prop_assert!(load.iter().all(|load| *load == UNUSABLE)),
                Some(slot) => {
                    let (picked, its_weight) = column[slot as usize];
                    prop_assert_ne!(picked, UNUSABLE);
                    for (other, weight) in column.iter().filter(|(load, _)| *load != UNUSABLE) {
                        prop_assert!(
                            u64::from(picked) * u64::from(*weight)
                                <= u64::from(*other) * u64::from(its_weight)
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn ties_are_even_to_one(
        busy in prop::collection::vec(any::<bool>(), 1..40),
        unequal: bool,
        rounds in 0_usize..200,
    ) {
        let load: Vec<u32> = busy.iter().map(|busy| u32::from(*busy) * 1_000_000).collect();
        prop_assume!(load.contains(&0));
        let mut weights = vec![2; load.len()];
        weights[0] -= u32::from(unequal);
        let mut policy = over(&weights);
        let mut counts = vec![0_u32; load.len()];
        for slot in picks(&mut policy, &load, rounds) {
            counts[slot as usize] += 1;
        }
        let idle = counts.iter().zip(&load).filter(|(_, load)| **load == 0);
        let idle: Vec<_> = idle.map(|(count, _)| *count).collect();
        prop_assert!(idle.iter().max().unwrap() - idle.iter().min().unwrap() <= 1);
    }
}
