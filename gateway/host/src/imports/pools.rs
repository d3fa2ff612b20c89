//! `pools`: the gateway's pools.

use gatewright_model::id::PoolIndex;

use crate::contract::imports::pools::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn index(&mut self, name: String) -> Option<u32> {
        let index = self.snapshot.pool_named(&name).map(|pool| pool.index.0);
        self.heard("pools.index", &name, index)
    }

    fn available(&mut self, pool: u32) -> u32 {
        let found = self.snapshot.pool(PoolIndex(pool));
        let available = found.map_or(0, |pool| pool.available() as u32);
        self.heard("pools.available", &pool, available)
    }
}
