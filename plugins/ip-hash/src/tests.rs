//! What a client and the pool can expect.

use std::collections::BTreeMap;

use gatewright_plugin_sdk::testing::{self, pool};
use gatewright_plugin_sdk::{Balancer, Endpoint, Slot, mix};
use proptest::prelude::*;

use super::IpHash;

fn over(members: Vec<Endpoint>) -> IpHash {
    let slots = members.iter().map(|member| member.slot).collect();
    let mut policy = IpHash::default();
    policy.update(members);
    policy.eligible(slots);
    policy
}

/// Where many clients go.
fn assignment(policy: &mut IpHash, clients: u64) -> Vec<Slot> {
    (0..clients)
        .map(|client| policy.pick(mix(client)).unwrap())
        .collect()
}

fn shares(assigned: &[Slot]) -> BTreeMap<Slot, f64> {
    let mut shares = BTreeMap::new();
    for slot in assigned {
        *shares.entry(*slot).or_insert(0.0) += 1.0 / assigned.len() as f64;
    }
    shares
}

#[test]
fn a_client_keeps_its_server_on_every_worker() {
    let mut shuffled = pool(&[1, 2, 3, 1]);
    shuffled.reverse();
    let one = assignment(&mut over(pool(&[1, 2, 3, 1])), 500);
    assert_eq!(one, assignment(&mut over(shuffled), 500));
}

#[test]
fn shares_follow_the_weights() {
    let shares = shares(&assignment(&mut over(pool(&[1, 2, 5])), 60_000));
    for (slot, expected) in [(0, 0.125), (1, 0.25), (2, 0.625)] {
        assert!((shares[&slot] - expected).abs() < 0.01, "{shares:?}");
    }
}

#[test]
fn the_clients_of_a_failed_server_spread_over_all_others() {
    let mut policy = over(pool(&[1; 5]));
    let before = assignment(&mut policy, 20_000);
    policy.eligible(vec![0, 1, 3, 4]);
    let after = assignment(&mut policy, 20_000);
    let pairs = before
        .iter()
        .zip(&after)
        .filter(|(before, _)| **before == 2);
    let moved: Vec<_> = pairs.map(|(_, after)| *after).collect();
    for (slot, share) in shares(&moved) {
        assert!((share - 0.25).abs() < 0.03, "slot {slot}: {share}");
    }
}

#[test]
fn a_retry_goes_to_where_the_client_would_go_without_the_server() {
    testing::reset();
    let mut policy = over(pool(&[1; 6]));
    let first = policy.pick(42).unwrap();
    testing::host(|host| host.request.tried = vec![first]);
    let second = policy.pick(42).unwrap();
    testing::reset();
    policy.eligible((0..6).filter(|slot| *slot != first).collect());
    assert_eq!(policy.pick(42), Some(second));
}

#[test]
fn nothing_eligible_is_no_opinion() {
    assert_eq!(over(Vec::new()).pick(1), None);
}

proptest! {
    #[test]
    fn only_the_share_of_a_server_that_leaves_moves(
        weights in prop::collection::vec(1_u32..50, 2..20),
        leaves in any::<prop::sample::Index>(),
        drains: bool,
    ) {
        let mut members = pool(&weights);
        let mut policy = over(members.clone());
        let before = assignment(&mut policy, 400);
        let gone = members.remove(leaves.index(weights.len())).slot;
        if drains {
            policy.eligible(members.iter().map(|member| member.slot).collect());
        } else {
            policy.update(members);
        }
        for (before, after) in before.iter().zip(assignment(&mut policy, 400)) {
            prop_assert_ne!(after, gone);
            prop_assert!(*before == gone || *before == after);
        }
    }

    #[test]
    fn a_server_that_joins_takes_from_the_others_only_for_itself(
        weights in prop::collection::vec(1_u32..50, 2..20),
    ) {
        let members = pool(&weights);
        let joins = members.last().unwrap().slot;
        let before = assignment(&mut over(members[..members.len() - 1].to_vec()), 400);
        let after = assignment(&mut over(members), 400);
        for (before, after) in before.iter().zip(after) {
            prop_assert!(after == *before || after == joins);
        }
    }
}
