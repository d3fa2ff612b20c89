//! `clock`: time, as the host owns it.

use crate::contract::imports::clock::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn now(&mut self) -> u64 {
        // 64 bits of nanoseconds last for 584 years.
        self.binding.now().as_nanos() as u64
    }

    fn unix_ms(&mut self) -> u64 {
        self.binding.shared.ticker.ticker().unix_ms()
    }
}
