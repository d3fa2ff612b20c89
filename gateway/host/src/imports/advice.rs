//! `advice`: what may go along with a decision.

use std::time::Duration;

use gatewright_model::id::Slot;

use crate::contract::imports::advice::Host;
use crate::guest::Guest;
use crate::journal::cut;

/// Bytes of a reason; the rest is cut.
const REASON_BYTES: usize = 256;

impl Host for Guest {
    fn second_choice(&mut self, slot: u32) {
        if let Some(exchange) = &mut self.exchange {
            exchange.effects().second_choice = Some(Slot(slot));
        }
    }

    fn reason(&mut self, mut text: String) {
        if let Some(exchange) = &mut self.exchange {
            cut(&mut text, REASON_BYTES);
            exchange.effects().reason = Some(text);
        }
    }

    fn timeout(&mut self, milliseconds: u32) {
        if let Some(exchange) = &mut self.exchange {
            let asked = Duration::from_millis(milliseconds.into());
            let effects = exchange.effects();
            // Several plugins may ask; none can give back what another took.
            effects.timeout = Some(effects.timeout.map_or(asked, |before| before.min(asked)));
        }
    }

    fn retries(&mut self, most: u32) {
        if let Some(exchange) = &mut self.exchange {
            let effects = exchange.effects();
            effects.retries = Some(effects.retries.map_or(most, |before| before.min(most)));
        }
    }

    fn hedge_after(&mut self, milliseconds: u32) {
        if let Some(exchange) = &mut self.exchange {
            let after = Duration::from_millis(milliseconds.into());
            exchange.effects().hedge_after = Some(after);
        }
    }

    fn call_bind(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.effects().call_bind = true;
        }
    }
}
