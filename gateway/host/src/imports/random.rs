//! `random`: randomness, as the host owns it.

use crate::contract::imports::random::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn next(&mut self) -> u64 {
        let next = self.random.u64(..);
        self.heard("random.next", &(), next)
    }
}
