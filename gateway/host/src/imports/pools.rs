//! `pools`: the gateway's pools.

use gatewright_model::id::PoolIndex;

use crate::contract::imports::pools::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn index(&mut self, name: String) -> Option<u32> {
        self.snapshot.pool_named(&name).map(|pool| pool.index.0)
    }

    fn available(&mut self, pool: u32) -> u32 {
        let pool = self.snapshot.pool(PoolIndex(pool));
        pool.map_or(0, |pool| pool.available() as u32)
    }
}
