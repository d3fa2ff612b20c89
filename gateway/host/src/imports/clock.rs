//! `clock`: time, as the host owns it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::contract::imports::clock::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn now(&mut self) -> u64 {
        // 64 bits of nanoseconds last for 584 years.
        self.binding.now().as_nanos() as u64
    }

    fn unix_ms(&mut self) -> u64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        since_1970.map_or(0, |elapsed| elapsed.as_millis() as u64)
    }
}
