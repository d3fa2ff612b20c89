//! `endpoints`: what `update` does not carry.

use gatewright_model::id::Slot;

use crate::contract::imports::endpoints::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn label(&mut self, slot: u32, name: String) -> Option<String> {
        let endpoint = self.pool.as_ref()?.endpoint(Slot(slot))?;
        endpoint.labels.get(&name).cloned()
    }
}
