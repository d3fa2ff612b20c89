//! What every default balancer keeps to, whatever happens to its pool: asked
//! through its component, among one, three and a thousand servers.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use gatewright_host::{Ending, Lent, Outcome, defaults};
use gatewright_model::id::Slot;
use gatewright_model::role::Role;
use proptest::prelude::*;

use crate::support::{Request, Rig};
use crate::turns::{SIZES, Turn, turns};

/// Settings without which a balancer would refuse, or show nothing in a test.
fn settings(name: &str) -> &'static str {
    match name {
        "zone" => "zone = \"a\", busy = 3",
        "first" => "limit = 10",
        _ => "",
    }
}

/// The names of all default balancers.
pub(crate) fn balancers() -> impl Iterator<Item = &'static str> {
    let balancers = defaults().iter();
    let balancers = balancers.filter(|plugin| plugin.roles() == [Role::Balancer]);
    balancers.map(|plugin| plugin.name)
}

/// A pool of servers at these ports, with a deadline that a busy machine does
/// not break.
fn pool(balancer: &str, ports: &BTreeSet<u16>) -> String {
    let mut text = format!(
        "[pools.web]\nhealth = false\nbalancer = {{ plugin = \"{balancer}\", deadline = \"300ms\", \
         config = {{ {} }} }}\nservers = [\n",
        settings(balancer)
    );
    for port in ports {
        let (weight, zone) = (1 + port % 3, if port % 2 == 0 { "a" } else { "b" });
        writeln!(
            text,
            "{{ host = \"192.0.2.1\", port = {port}, weight = {weight}, labels = {{ zone = \"{zone}\" }} }},"
        )
        .unwrap();
    }
    text + "]\n"
}

impl Turn {
    /// Tell how the attempt on a slot ended.
    fn outcome(&self, slot: Slot, attempt: u32) -> Outcome {
        let fails = attempt.is_multiple_of(self.failing);
        Outcome {
            slot,
            ending: if fails {
                Ending::ConnectFailed
            } else {
                Ending::Completed
            },
            status: if fails { 0 } else { 200 },
            first_byte_us: self.time.saturating_mul(slot.0 % 5 + 1),
            duration_us: self.time.saturating_mul(slot.0 % 5 + 2),
            lot: None,
        }
    }
}

/// Make picks, with retries among them, and check each.
fn pick_among(rig: &mut Rig, turn: &Turn, eligible: &BTreeSet<Slot>, name: &str) {
    let state = rig.snapshot.as_ref().unwrap().pools[0].state.clone();
    let mut under_way = Vec::new();
    for attempt in 1..=60_u32 {
        let key = turn.key.wrapping_mul(u64::from(attempt) | 1);
        let tried: Vec<Slot> = under_way
            .iter()
            .rev()
            .take(attempt as usize % 3)
            .copied()
            .collect();
        let mut lent: Lent = Some(Box::new(Request {
            tried: tried.clone(),
            ..Default::default()
        }));
        let picked = rig.balancer().pick(key, &mut lent).unwrap();
        let left = eligible.iter().any(|slot| !tried.contains(slot));
        assert_eq!(picked.is_some(), left, "{name}: {picked:?} of {eligible:?}");
        let Some(slot) = picked else { continue };
        assert!(eligible.contains(&slot), "{name}: {slot:?}");
        assert!(!tried.contains(&slot), "{name}: {slot:?} again");
        state.enter(slot);
        under_way.push(slot);
        if attempt % 4 == 0 {
            let done = under_way.remove(0);
            state.leave(done);
            rig.balancer().observe(turn.outcome(done, attempt));
        }
    }
    for slot in under_way {
        state.leave(slot);
        rig.balancer().observe(turn.outcome(slot, 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn every_default_balancer_picks_eligible_servers_that_were_not_tried(turns in turns()) {
        for name in balancers() {
            for size in SIZES {
                let mut rig = Rig::new();
                for turn in &turns {
                    let eligible = turn.happen(&mut rig, size, |ports| pool(name, ports));
                    pick_among(&mut rig, turn, &eligible, name);
                }
            }
        }
    }
}

#[test]
fn every_default_balancer_comes_to_use_all_servers_of_its_pool() {
    for name in balancers() {
        for size in SIZES {
            let mut rig = Rig::new();
            rig.take(&equal(name, &ports(size))).unwrap();
            let state = rig.snapshot.as_ref().unwrap().pools[0].state.clone();
            let mut picked = BTreeSet::new();
            // None of the requests ends, so that who goes by load comes to all, and
            // all answer alike. That chance leaves one out is one in a million.
            for number in 0..u64::from(size).max(3) * 20 {
                let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let slot = rig.pick(key).unwrap().unwrap();
                state.enter(slot);
                picked.insert(slot);
                rig.balancer().observe(answered(slot, 5_000));
            }
            assert_eq!(picked.len(), usize::from(size), "{name} of {size}");
        }
    }
}

/// The same with equal weights.
fn equal(balancer: &str, ports: &BTreeSet<u16>) -> String {
    let text = pool(balancer, ports).replace("weight = 2", "weight = 1");
    text.replace("weight = 3", "weight = 1")
}

/// The ports of so many servers.
fn ports(size: u16) -> BTreeSet<u16> {
    (3_000..3_000 + size).collect()
}

fn answered(slot: Slot, first_byte_us: u32) -> Outcome {
    Outcome {
        slot,
        ending: Ending::Completed,
        status: 200,
        first_byte_us,
        duration_us: first_byte_us,
        lot: None,
    }
}

/// The share of so many picks that go to one slot, each answered at once.
fn share_of(rig: &mut Rig, slot: Slot, us: impl Fn(Slot) -> u32) -> f64 {
    let picks = 600_u64;
    let is_it = |key: &u64| {
        let picked = rig.pick(key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let picked = picked.unwrap().unwrap();
        rig.balancer().observe(answered(picked, us(picked)));
        picked == slot
    };
    (0..picks).filter(is_it).count() as f64 / picks as f64
}

#[test]
fn whoever_learns_hands_it_over_to_a_new_configuration() {
    let changes = [
        ("peak-ewma", "decay_s = 20"),
        ("prequal", "choices = 4"),
        ("adaptive", "interval_ms = 100, min_share = 0.05"),
    ];
    for (name, changed) in changes {
        let mut rig = Rig::new();
        let before = match name {
            "adaptive" => "interval_ms = 100",
            _ => "",
        };
        let config = |settings: &str, size| {
            equal(name, &ports(size))
                .replace("config = {  }", &format!("config = {{ {settings} }}"))
        };
        rig.take(&config(before, 5)).unwrap();
        let us = |slot: Slot| if slot == Slot(2) { 400_000 } else { 4_000 };
        // Outcomes are told and weights adjusted by the clock.
        let patience = Instant::now() + Duration::from_secs(60);
        while share_of(&mut rig, Slot(2), us) > 0.1 {
            assert!(Instant::now() < patience, "{name}");
        }
        // One server fewer and other settings: the slow one is known as such.
        rig.take(&config(changed, 4)).unwrap();
        let even = |_| 4_000;
        let picks: Vec<Slot> = (0..30).map(|key| rig.pick(key).unwrap().unwrap()).collect();
        let slow = picks.iter().filter(|slot| **slot == Slot(2)).count();
        assert!(slow <= 4, "{name}: {slow}");
        // Else who has most of them in flight is rightly avoided from now on.
        for slot in picks {
            rig.balancer().observe(answered(slot, even(slot)));
        }
        // What was usual while the slow one was new may count against a server
        // until it is forgotten, within some seconds.
        while share_of(&mut rig, Slot(0), even) == 0.0 {
            assert!(Instant::now() < patience, "{name}");
        }
        let log = rig.balancer().binding().journal().entries();
        let refused = log.iter().find(|entry| entry.message.contains("handover"));
        assert!(refused.is_none(), "{name}: {refused:?}");
    }
}

#[test]
fn what_another_kind_of_balancer_learned_is_refused_and_no_fault() {
    for name in ["peak-ewma", "prequal", "adaptive"] {
        let mut rig = Rig::new();
        rig.take(&pool("weighted", &ports(3))).unwrap();
        rig.pick(1).unwrap();
        rig.take(&pool(name, &ports(3))).unwrap();
        let eligible = BTreeSet::from([Slot(0), Slot(1), Slot(2)]);
        for key in 0..20 {
            let slot = rig.pick(key).unwrap().unwrap();
            assert!(eligible.contains(&slot), "{name}: {slot:?}");
        }
    }
}

#[test]
fn what_a_balancer_does_not_know_is_refused_by_its_key() {
    for name in balancers() {
        let text = pool(name, &BTreeSet::from([3000]));
        let mistaken = text.replace("config = { ", "config = { colour = 1, ");
        let mistaken = mistaken.replace(",  }", " }");
        let refusal = Rig::new().take(&mistaken).unwrap_err().to_string();
        assert!(refusal.contains("colour"), "{name}: {refusal}");
    }
}
