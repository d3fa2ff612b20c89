//! What keys, shares and loads can expect.

use std::collections::BTreeMap;

use gatewright_plugin_sdk::testing::pool;
use gatewright_plugin_sdk::{Configuration, Endpoint, ScanningBalancer, Slot, UNUSABLE, mix};
use proptest::prelude::*;

use super::{Config, ConsistentHash};

fn over(members: Vec<Endpoint>, settings: &str) -> ConsistentHash {
    let config = Config::from_json(settings).unwrap();
    let mut policy = ConsistentHash::configure(config).unwrap();
    policy.update(members);
    policy
}

/// Where many keys go while nobody has anything to do.
fn assignment(policy: &mut ConsistentHash, load: &[u32]) -> Vec<Slot> {
    let keys = 0..20_000;
    keys.map(|key| policy.pick(mix(key), load).unwrap())
        .collect()
}

fn shares(assigned: &[Slot]) -> BTreeMap<Slot, f64> {
    let mut shares = BTreeMap::new();
    for slot in assigned {
        *shares.entry(*slot).or_insert(0.0) += 1.0 / assigned.len() as f64;
    }
    shares
}

/// The share of the others' keys that move when one of so many equal endpoints
/// is taken off the list.
fn moved_of_others(count: usize) -> f64 {
    let load = vec![0; count];
    let mut members = pool(&vec![1; count]);
    let mut policy = over(members.clone(), "{}");
    let before = assignment(&mut policy, &load);
    let gone = members.remove(count / 2).slot;
    policy.update(members);
    let after = assignment(&mut policy, &load);
    assert!(!after.contains(&gone));
    let others = before.iter().zip(&after).filter(|(one, _)| **one != gone);
    let moved = others.clone().filter(|(before, after)| before != after);
    moved.count() as f64 / others.count() as f64
}

#[test]
fn few_other_keys_move_when_a_server_leaves_the_list() {
    let moved = [10, 100, 1_000].map(moved_of_others);
    assert!(moved.iter().all(|moved| *moved < 0.02), "{moved:?}");
}

#[test]
fn no_other_key_moves_when_a_server_fails_and_its_own_spread() {
    let mut policy = over(pool(&[1; 10]), "{}");
    let mut load = [0; 10];
    let before = assignment(&mut policy, &load);
    load[3] = UNUSABLE;
    let after = assignment(&mut policy, &load);
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for (before, after) in before.iter().zip(after) {
        if *before == 3 {
            own.push(after);
        } else {
            others.push((*before, after));
        }
    }
    assert!(others.iter().all(|(before, after)| before == after));
    for (slot, share) in shares(&own) {
        assert!(
            slot != 3 && (share - 1.0 / 9.0).abs() < 0.04,
            "{slot}: {share}"
        );
    }
    load[3] = 0;
    assert_eq!(assignment(&mut policy, &load), before);
}

#[test]
fn the_table_is_even_to_one_place() {
    for (count, size) in [(3_usize, 16_381_u32), (7, 1_009), (1_000, 16_381)] {
        let policy = over(pool(&vec![5; count]), &format!("{{\"table_size\":{size}}}"));
        let mut counts = vec![0_u32; count];
        for slot in policy.table.places() {
            counts[*slot as usize] += 1;
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1, "{count}: {least} to {most}");
    }
}

#[test]
fn shares_follow_the_weights() {
    let mut policy = over(pool(&[1, 2, 5]), "{}");
    let shares = shares(&assignment(&mut policy, &[0; 3]));
    for (slot, expected) in [(0, 0.125), (1, 0.25), (2, 0.625)] {
        assert!((shares[&slot] - expected).abs() < 0.015, "{shares:?}");
    }
}

#[test]
fn every_worker_and_gateway_comes_to_the_same_answer() {
    let mut shuffled = pool(&[1, 2, 3, 1]);
    shuffled.reverse();
    let one = assignment(&mut over(pool(&[1, 2, 3, 1]), "{}"), &[0; 4]);
    assert_eq!(one, assignment(&mut over(shuffled, "{}"), &[0; 4]));
}

/// The loads after so many requests with one key, none of which ends.
fn pile_up(settings: &str, weights: &[u32], requests: u32) -> Vec<u32> {
    let mut policy = over(pool(weights), settings);
    let mut load = vec![0; weights.len()];
    for _ in 0..requests {
        let slot = policy.pick(7, &load).unwrap();
        load[slot as usize] += 1;
    }
    load
}

#[test]
fn a_popular_key_overflows_at_the_bound() {
    let mut load = pile_up("{}", &[1; 10], 1_000);
    load.sort_unstable();
    // The mean is 100.
    assert_eq!(load[9], 125);
    assert_eq!(load.iter().sum::<u32>(), 1_000);
    let load = pile_up(r#"{"balance":1.05}"#, &[1, 3], 400);
    assert!(load[0] <= 106 && load[1] <= 316, "{load:?}");
}

#[test]
fn where_little_is_in_flight_keys_stay_up_to_the_floor() {
    // The bound of five in flight on ten servers is one.
    let mut load = pile_up("{}", &[1; 10], 5);
    load.sort_unstable();
    assert_eq!(load[8..], [1, 4]);
    let mut load = pile_up(r#"{"floor":1}"#, &[1; 10], 5);
    load.sort_unstable();
    assert_eq!(load[5..], [1, 1, 1, 1, 1]);
    let mut load = pile_up(r#"{"floor":20}"#, &[1; 10], 20);
    load.sort_unstable();
    assert_eq!(load[9], 20);
}

#[test]
fn without_a_bound_a_key_stays_however_busy_its_server_is() {
    let load = pile_up(r#"{"balance":false}"#, &[1; 10], 500);
    assert_eq!(load.iter().max(), Some(&500));
}

#[test]
fn the_last_usable_servers_of_a_large_pool_share_its_keys() {
    let mut policy = over(pool(&[1; 1_000]), "{}");
    let mut load = vec![UNUSABLE; 1_000];
    (load[17], load[500]) = (0, 0);
    let first = assignment(&mut policy, &load);
    for (_, share) in shares(&first) {
        assert!((share - 0.5).abs() < 0.1, "{share}");
    }
    assert_eq!(assignment(&mut policy, &load), first);
}

#[test]
fn nothing_usable_is_no_opinion() {
    assert_eq!(over(Vec::new(), "{}").pick(1, &[]), None);
    assert_eq!(over(pool(&[1, 1]), "{}").pick(1, &[UNUSABLE; 2]), None);
}

#[test]
fn settings_are_checked_by_key() {
    let refusal = |json: &str| match Config::from_json(json) {
        Ok(config) => ConsistentHash::configure(config).unwrap_err(),
        Err(error) => error,
    };
    let error = refusal(r#"{"table_size":10000}"#);
    assert_eq!(
        (error.key.as_str(), error.reason.as_str()),
        ("table_size", "10000 is no prime: write 10007")
    );
    assert_eq!(refusal(r#"{"table_size":7}"#).key, "table_size");
    assert_eq!(refusal(r#"{"balance":0.5}"#).key, "balance");
    assert_eq!(refusal(r#"{"floor":0}"#).key, "floor");
    let error = refusal(r#"{"balance":"off"}"#);
    assert_eq!(error.key, "balance");
    assert!(error.reason.contains("or false"), "{}", error.reason);
    assert_eq!(refusal(r#"{"tablesize":1009}"#).key, "tablesize");
}

proptest! {
    #[test]
    fn nobody_gets_more_than_the_bound(
        weights in prop::collection::vec(1_u32..20, 1..30),
        keys in prop::collection::vec(0_u64..4, 1..300),
        balance in 1.0_f64..3.0,
    ) {
        let settings = format!("{{\"balance\":{balance},\"floor\":1,\"table_size\":1009}}");
        let mut policy = over(pool(&weights), &settings);
        let sum: u32 = weights.iter().sum();
        let mut load = vec![0; weights.len()];
        for (before, key) in (0..).zip(keys) {
            let slot = policy.pick(key, &load).unwrap() as usize;
            load[slot] += 1;
            let share = f64::from(weights[slot]) / f64::from(sum);
            let bound = (balance * f64::from(before + 1) * share * (1.0 + 1e-12)).ceil();
            prop_assert!(f64::from(load[slot]) <= bound, "{} > {bound}", load[slot]);
        }
    }

    #[test]
    fn only_usable_slots_are_picked(
        load in prop::collection::vec(prop_oneof![0_u32..9, Just(UNUSABLE)], 20),
        key: u64,
    ) {
        let mut policy = over(pool(&[3; 20]), r#"{"table_size":1009}"#);
        match policy.pick(key, &load) {
            None => prop_assert!(load.iter().all(|load| *load == UNUSABLE)),
            Some(slot) => prop_assert_ne!(load[slot as usize], UNUSABLE),
        }
    }
}
