//! The load column of a scanning balancer: active requests by slot, for the
//! slots that an attempt may use.

use gatewright_model::id::Slot;
use gatewright_model::pool::Pool;

/// What stands for a slot that the attempt may not use.
const UNUSABLE: u32 = u32::MAX;

/// A worker's column for one pool, refilled for every pick.
#[derive(Debug, Default)]
pub(crate) struct LoadColumn {
    eligible: Vec<Slot>,
    seen: (u64, u64),
    loads: Vec<u32>,
}

impl LoadColumn {
    /// The column as it is now. Which slots are eligible is only looked up
    /// again when that changed, so that a fill reads one dense array.
    pub(crate) fn fill(&mut self, pool: &Pool, tried: &[Slot]) -> &[u32] {
        let versions = (pool.table_version, pool.state.eligibility_version());
        if self.seen != versions {
            self.look_up(pool);
            self.seen = versions;
        }
        for slot in &self.eligible {
            self.loads[slot.index()] = pool.state.active(*slot);
        }
        for slot in tried {
            if let Some(load) = self.loads.get_mut(slot.index()) {
                *load = UNUSABLE;
            }
        }
        &self.loads
    }

    #[cold]
    fn look_up(&mut self, pool: &Pool) {
        let eligible = pool.endpoints().filter(|endpoint| endpoint.is_eligible());
        self.eligible.clear();
        self.eligible
            .extend(eligible.map(|endpoint| endpoint.slot()));
        self.loads.clear();
        self.loads.resize(pool.width(), UNUSABLE);
    }
}
