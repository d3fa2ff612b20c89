//! `clock`: time, as the host owns it.

use crate::contract::imports::clock::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn now(&mut self) -> u64 {
        // 64 bits of nanoseconds last for 584 years.
        let now = self.binding.now().as_nanos() as u64;
        self.heard("clock.now", &(), now)
    }

    fn unix_ms(&mut self) -> u64 {
        let now = self.binding.shared.ticker.ticker().unix_ms();
        self.heard("clock.unix-ms", &(), now)
    }
}
