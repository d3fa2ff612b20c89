//! What staying in the zone promises, and when requests leave it.

use gatewright_plugin_sdk::testing::{self, pool, refused_key};
use gatewright_plugin_sdk::{Balancer, Configuration, Slot};
use proptest::prelude::*;

use super::{Config, Zone};

/// A pool whose first `near` slots are in the gateway's zone and the `far` next
/// ones elsewhere, with more settings.
fn over(near: Slot, far: Slot, settings: &str) -> Zone {
    let config = Config::from_json(&format!("{{\"zone\":\"a\"{settings}}}")).unwrap();
    let mut policy: Zone = testing::seat(config, &[]).unwrap();
    testing::host(|host| {
        for slot in 0..near + far {
            let zone = if slot < near { "a" } else { "b" };
            host.labels.insert((slot, "zone".into()), zone.into());
        }
        host.active = vec![0; (near + far) as usize];
    });
    policy.update(pool(&vec![2; (near + far) as usize]));
    policy.eligible((0..near + far).collect());
    policy
}

/// The share of so many picks that slots below `near` get.
fn staying(policy: &mut Zone, near: Slot) -> f64 {
    let picks = (0..10_000).filter_map(|_| policy.pick(0));
    picks.filter(|slot| *slot < near).count() as f64 / 10_000.0
}

#[test]
fn requests_stay_in_the_zone_while_enough_of_it_is_eligible() {
    let mut policy = over(10, 20, "");
    assert_eq!(staying(&mut policy, 10), 1.0);
    policy.eligible((2..30).collect());
    assert_eq!(staying(&mut policy, 10), 1.0);
}

#[test]
fn what_the_zone_cannot_bear_goes_elsewhere_and_nothing_more() {
    let mut policy = over(10, 20, r#","overprovisioning":1.0"#);
    policy.eligible((5..30).collect());
    // 5 of the 25 that are left, where the zone has a third of all.
    assert!((staying(&mut policy, 10) - 0.6).abs() < 0.02);
    policy.eligible((9..30).collect());
    assert!((staying(&mut policy, 10) - 1.0 / 7.0).abs() < 0.02);
    policy.eligible((10..30).collect());
    assert_eq!(staying(&mut policy, 10), 0.0);
    let mut larger = over(10, 20, "");
    larger.eligible((5..30).collect());
    assert!((staying(&mut larger, 10) - 1.4 * 0.6).abs() < 0.02);
}

#[test]
fn requests_stay_where_the_other_zones_are_as_hard_hit() {
    let mut policy = over(10, 20, r#","overprovisioning":1.0"#);
    policy.eligible((5..20).collect());
    assert_eq!(staying(&mut policy, 10), 1.0);
    // All in all 3 of 10 near and 12 of 20 elsewhere: 0.2 of what is left.
    policy.eligible((7..22).collect());
    assert!((staying(&mut policy, 10) - 0.6).abs() < 0.02);
}

#[test]
fn what_leaves_is_spread_by_the_eligible_weight_of_other_zones() {
    // Slots 0 to 3 are near, 4 to 9 in one zone, 10 to 15 in another.
    let mut policy = over(4, 12, "");
    let weights: Vec<_> = (0..16).map(|slot| if slot < 10 { 1 } else { 3 }).collect();
    policy.update(pool(&weights));
    // None near, two of the first and one of the second.
    policy.eligible(vec![4, 5, 12]);
    let mut counts = [0_u32; 16];
    for _ in 0..10_000 {
        counts[policy.pick(0).unwrap() as usize] += 1;
    }
    for (slot, expected) in [(4, 2_000), (5, 2_000), (12, 6_000)] {
        assert!(counts[slot].abs_diff(expected) < 300, "{counts:?}");
    }
}

#[test]
fn too_few_local_endpoints_are_no_zone_at_all() {
    let mut policy = over(3, 3, r#","minimum":3"#);
    assert_eq!(staying(&mut policy, 3), 1.0);
    policy.eligible((1..6).collect());
    assert_eq!(staying(&mut policy, 3), 0.0);
}

#[test]
fn when_other_zones_are_gone_the_zone_takes_all() {
    let mut policy = over(10, 5, "");
    policy.eligible(vec![0]);
    assert_eq!(staying(&mut policy, 10), 1.0);
}

#[test]
fn a_busy_zone_is_helped_by_whoever_is_less_busy() {
    let mut policy = over(2, 2, r#","busy":10"#);
    let set = |active: [u32; 4]| testing::host(|host| host.active = active.to_vec());
    set([9, 9, 0, 0]);
    assert_eq!(staying(&mut policy, 2), 1.0);
    set([10, 10, 3, 3]);
    assert_eq!(staying(&mut policy, 2), 0.0);
    // Nobody elsewhere is less busy.
    set([12, 12, 40, 40]);
    assert_eq!(staying(&mut policy, 2), 1.0);
}

#[test]
fn inside_the_zone_the_less_busy_of_two_wins() {
    let mut policy = over(2, 0, "");
    testing::host(|host| host.active = vec![5, 4]);
    assert_eq!(policy.pick(0), Some(1));
}

#[test]
fn a_retry_leaves_the_zone_when_it_has_nothing_left() {
    let mut policy = over(2, 2, "");
    testing::host(|host| host.request.tried = vec![0]);
    assert_eq!(policy.pick(0), Some(1));
    testing::host(|host| host.request.tried = vec![0, 1, 3]);
    assert_eq!(policy.pick(0), Some(2));
    testing::host(|host| host.request.tried = vec![0, 1, 2, 3]);
    assert_eq!(policy.pick(0), None);
    testing::reset();
}

#[test]
fn settings_are_checked_by_key() {
    let key = |json| refused_key(json, Zone::configure).unwrap();
    assert_eq!(key(r#"{"zone":""}"#), "zone");
    assert_eq!(
        key(r#"{"zone":"a","overprovisioning":0.9}"#),
        "overprovisioning"
    );
    assert_eq!(key(r#"{"zone":"a","busy":0}"#), "busy");
    assert_eq!(key(r#"{"zone":"a","minimum":-1}"#), "minimum");
    assert_eq!(key(r#"{"zone":"a","zones":[]}"#), "zones");
    let missing = Config::from_json("{}").unwrap_err();
    assert!(missing.reason.contains("`zone`"), "{}", missing.reason);
}

proptest! {
    #[test]
    fn only_eligible_slots_are_picked(
        slots in prop::collection::btree_set(0_u32..20, 1..20),
        near in 0_u32..20,
        busy in 1_u32..5,
    ) {
        let mut policy = over(near, 20 - near, &format!(",\"busy\":{busy}"));
        testing::host(|host| host.active = (0..20).map(|slot| slot % 7).collect());
        policy.eligible(slots.iter().copied().collect());
        for _ in 0..50 {
            prop_assert!(slots.contains(&policy.pick(0).unwrap()));
        }
    }
}
