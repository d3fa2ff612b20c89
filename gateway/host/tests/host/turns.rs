//! What happens to a pool while plugins decide: servers come and go, turn ill
//! and well.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use gatewright_model::endpoint::Health;
use gatewright_model::id::Slot;
use gatewright_model::pool::Pool;
use proptest::prelude::*;

use crate::support::Rig;

/// How many servers a pool has.
pub(crate) const SIZES: [u16; 3] = [1, 3, 1_000];

/// What happens to a pool before some decisions.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// One in so many servers is not on the list.
    pub(crate) absent: u16,
    /// One in so many is unhealthy.
    pub(crate) ill: u16,
    /// What the failures are among the outcomes: one in so many.
    pub(crate) failing: u32,
    /// How long responses take, in microseconds, times the slot's place.
    pub(crate) time: u32,
    pub(crate) key: u64,
}

pub(crate) fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (2_u16..9, 1_u16..7, 1_u32..9, 1_u32..100_000, any::<u64>());
    let turn = turn.prop_map(|(absent, ill, failing, time, key)| Turn {
        absent,
        ill,
        failing,
        time,
        key,
    });
    prop::collection::vec(turn, 3..6)
}

impl Turn {
    /// The ports of the servers that are on the list now, but for the newcomer:
    /// never none.
    pub(crate) fn ports(&self, size: u16) -> BTreeSet<u16> {
        let offset = self.key as u16 % self.absent;
        let there = (0..size).filter(|place| *place == 0 || place % self.absent != offset);
        there.map(|place| 3000 + place).collect()
    }

    /// Change the list and the health of its servers, in the configuration that
    /// has the pool `web` of given ports. Returns who is eligible.
    pub(crate) fn happen(
        &self,
        rig: &mut Rig,
        size: u16,
        config: impl Fn(&BTreeSet<u16>) -> String,
    ) -> BTreeSet<Slot> {
        let mut ports = self.ports(size);
        rig.take(&config(&ports)).unwrap();
        for endpoint in web(rig).endpoints() {
            let health = match endpoint.port % self.ill {
                0 => Health::Unhealthy,
                _ => Health::Healthy,
            };
            endpoint.state.set_health(health);
        }
        // Health is told within some milliseconds, but a new list, and health
        // with it, before the next decision: so another server comes.
        ports.insert(20_000 + self.key as u16 % 9_000);
        rig.take(&config(&ports)).unwrap();
        let present = web(rig);
        let eligible = present
            .endpoints()
            .filter(|endpoint| endpoint.is_eligible());
        eligible.map(|endpoint| endpoint.slot()).collect()
    }
}

/// The pool that turns happen to, as it is now.
pub(crate) fn web(rig: &Rig) -> Arc<Pool> {
    let snapshot = rig.snapshot.as_ref().unwrap();
    Arc::clone(snapshot.pool_named("web").unwrap())
}

/// The pool `web` of servers at these ports, with these other settings.
pub(crate) fn pool(settings: &str, ports: &BTreeSet<u16>) -> String {
    let mut text = format!("[pools.web]\nhealth = false\n{settings}\nservers = [\n");
    for port in ports {
        writeln!(text, "{{ host = \"192.0.2.1\", port = {port} }},").unwrap();
    }
    text + "]\n"
}
