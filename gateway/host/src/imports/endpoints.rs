//! `endpoints`: what `update` does not carry.

use gatewright_model::id::Slot;

use crate::contract::imports::endpoints::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn label(&mut self, slot: u32, name: String) -> Option<String> {
        let pool = self.pool.as_ref();
        let endpoint = pool.and_then(|pool| pool.endpoint(Slot(slot)));
        let label = endpoint.and_then(|endpoint| endpoint.labels.get(&name).cloned());
        self.heard("endpoints.label", &(slot, name), label)
    }
}
