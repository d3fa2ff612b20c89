//! `sessions`: the pool's session table. A seat without a pool has none.

use std::time::Duration;

use gatewright_model::id::Slot;

use crate::contract::imports::sessions::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn get(&mut self, key: String) -> Option<u32> {
        let sessions = self.binding.sessions()?;
        let slot = sessions.get(&key, self.pool.as_ref()?, self.binding.now())?;
        Some(slot.0)
    }

    fn set(&mut self, key: String, slot: u32, idle_seconds: u32) {
        let (Some(sessions), Some(pool)) = (self.binding.sessions(), &self.pool) else {
            return;
        };
        let idle = Duration::from_secs(idle_seconds.into());
        if !sessions.set(&key, (Slot(slot), idle), pool, self.binding.now()) {
            self.warn(format!(
                "sessions.set: slot {slot} is empty, or the key is too long"
            ));
        }
    }

    fn remove(&mut self, key: String) {
        if let Some(sessions) = self.binding.sessions() {
            sessions.remove(&key);
        }
    }
}
