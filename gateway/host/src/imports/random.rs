//! `random`: randomness, as the host owns it.

use crate::contract::imports::random::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn next(&mut self) -> u64 {
        self.random.u64(..)
    }
}
