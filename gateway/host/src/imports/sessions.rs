//! `sessions`: the pool's session table. A seat without a pool has none, and a
//! shadow sees the table and leaves no trace in it.

use std::time::Duration;

use gatewright_model::id::Slot;

use crate::binding::Part;
use crate::contract::imports::sessions::Host;
use crate::guest::Guest;

impl Guest {
    fn slot_of(&self, key: &str) -> Option<Slot> {
        let sessions = self.binding.sessions()?;
        let (pool, now) = (self.pool.as_ref()?, self.binding.now());
        match self.binding.part() {
            Part::Shadow => sessions.peek(key, pool, now),
            Part::Active | Part::Canary => sessions.get(key, pool, now),
        }
    }

    /// `get`, of a key that nobody need have a copy of.
    pub(crate) fn session(&mut self, key: &str) -> Option<u32> {
        let slot = self.slot_of(key).map(|slot| slot.0);
        self.heard("sessions.get", key, slot)
    }

    /// The same of `set`.
    pub(crate) fn set_session(&mut self, key: &str, slot: u32, idle_seconds: u32) {
        let (Some(sessions), Some(pool)) = (self.binding.sessions(), &self.pool) else {
            return;
        };
        if self.binding.part() == Part::Shadow {
            return;
        }
        let idle = Duration::from_secs(idle_seconds.into());
        if !sessions.set(key, (Slot(slot), idle), pool, self.binding.now()) {
            self.warn(format!(
                "sessions.set: slot {slot} is empty, or the key is too long"
            ));
        }
    }
}

impl Host for Guest {
    fn get(&mut self, key: String) -> Option<u32> {
        self.session(&key)
    }

    fn set(&mut self, key: String, slot: u32, idle_seconds: u32) {
        self.set_session(&key, slot, idle_seconds);
    }

    fn remove(&mut self, key: String) {
        if self.binding.part() == Part::Shadow {
            return;
        }
        if let Some(sessions) = self.binding.sessions() {
            sessions.remove(&key, self.binding.now());
        }
    }
}
