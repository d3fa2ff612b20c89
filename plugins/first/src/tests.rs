//! What filling up in order promises.

use gatewright_plugin_sdk::testing::{self, endpoint, refused_key};
use gatewright_plugin_sdk::{ScanningBalancer, Slot, UNUSABLE};
use proptest::prelude::*;

use super::{Config, First};

/// A pool of so many endpoints that are full at `limit`.
fn over(count: Slot, limit: u32) -> First {
    testing::reset();
    labelled(count, limit, &[])
}

fn labelled(count: Slot, limit: u32, labels: &[(Slot, &str)]) -> First {
    testing::host(|host| {
        for (slot, label) in labels {
            host.labels
                .insert((*slot, "priority".into()), (*label).into());
        }
    });
    let config = Config {
        limit,
        ..Config::default()
    };
    let mut policy = First::configure(config).unwrap();
    policy.update((0..count).rev().map(|slot| endpoint(slot, 1)).collect());
    policy
}

#[test]
fn one_endpoint_is_filled_before_the_next() {
    let mut policy = over(3, 2);
    let mut load = [0; 3];
    let mut picked = Vec::new();
    for _ in 0..6 {
        let slot = policy.pick(0, &load).unwrap();
        load[slot as usize] += 1;
        picked.push(slot);
    }
    assert_eq!(picked, [0, 0, 1, 1, 2, 2]);
}

#[test]
fn a_place_that_becomes_free_is_used_first() {
    assert_eq!(over(3, 4).pick(0, &[4, 3, 0]), Some(1));
    assert_eq!(over(3, 4).pick(0, &[3, 3, 0]), Some(0));
}

#[test]
fn when_all_are_full_the_least_busy_one_takes_more() {
    assert_eq!(over(3, 2).pick(0, &[5, 3, 4]), Some(1));
    assert_eq!(over(2, 2).pick(0, &[UNUSABLE, 7]), Some(1));
}

#[test]
fn the_label_decides_and_those_without_a_number_are_last() {
    testing::reset();
    let labels = [(0, "20"), (2, "-1"), (3, "soon")];
    let mut policy = labelled(5, 1, &labels);
    assert_eq!(policy.order, [2, 0, 1, 3, 4]);
    assert_eq!(policy.pick(0, &[0; 5]), Some(2));
    assert_eq!(testing::host(|host| host.log.len()), 1);
}

#[test]
fn what_the_limit_cannot_be_is_refused() {
    let key = |json| refused_key(json, First::configure).unwrap();
    assert_eq!(key(r#"{"limit":0}"#), "limit");
    assert_eq!(key(r#"{"limit":"many"}"#), "limit");
    assert_eq!(key(r#"{"limits":7}"#), "limits");
}

proptest! {
    #[test]
    fn nobody_is_used_while_one_before_it_has_room(
        load in prop::collection::vec(prop_oneof![0_u32..8, Just(UNUSABLE)], 1..40),
        limit in 1_u32..8,
    ) {
        match over(load.len() as Slot, limit).pick(0, &load) {
            None => prop_assert!(load.iter().all(|load| *load == UNUSABLE)),
            Some(picked) => {
                let picked = picked as usize;
                prop_assert_ne!(load[picked], UNUSABLE);
                prop_assert!(load[..picked].iter().all(|load| *load >= limit));
                if load[picked] >= limit {
                    prop_assert_eq!(load.iter().min(), Some(&load[picked]));
                }
            }
        }
    }
}
