//! The load column of a scanning balancer: active requests by slot, for the
//! slots that an attempt may use.

use std::sync::atomic::Ordering;

use gatewright_model::id::Slot;
use gatewright_model::pool::Pool;

/// What stands for a slot that the attempt may not use.
const UNUSABLE: u32 = u32::MAX;

/// A worker's column for one pool, refilled for every pick.
#[derive(Debug, Default)]
pub(crate) struct LoadColumn {
    /// By slot: 0 for an eligible one, [`UNUSABLE`] for any other.
    masks: Vec<u32>,
    seen: (u64, u64),
    loads: Vec<u32>,
}

impl LoadColumn {
    /// The column as it is now. Which slots are eligible is only looked up
    /// again when that changed, so that a fill goes once over dense arrays.
    pub(crate) fn fill(&mut self, pool: &Pool, tried: &[Slot]) -> &[u32] {
        let versions = (pool.table_version, pool.state.eligibility_version());
        if self.seen != versions {
            self.look_up(pool);
            self.seen = versions;
        }
        let active = pool.state.active_column().iter();
        let columns = self.loads.iter_mut().zip(&self.masks).zip(active);
        for ((load, mask), active) in columns {
            *load = active.load(Ordering::Relaxed) | mask;
        }
        if pool.has_limited_members {
            self.leave_out_full(pool);
        }
        for slot in tried {
            if let Some(load) = self.loads.get_mut(slot.index()) {
                *load = UNUSABLE;
            }
        }
        &self.loads
    }

    /// Those that have as many requests as they may have.
    fn leave_out_full(&mut self, pool: &Pool) {
        for endpoint in pool.endpoints().filter(|endpoint| !endpoint.has_room()) {
            if let Some(load) = self.loads.get_mut(endpoint.slot().index()) {
                *load = UNUSABLE;
            }
        }
    }

    #[cold]
    fn look_up(&mut self, pool: &Pool) {
        self.masks.clear();
        self.masks.resize(pool.width(), UNUSABLE);
        let eligible = pool.endpoints().filter(|endpoint| endpoint.is_eligible());
        for endpoint in eligible {
            self.masks[endpoint.slot().index()] = 0;
        }
        self.loads.clear();
        self.loads.resize(pool.width(), UNUSABLE);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use gatewright_model::config::{self, Environment};
    use gatewright_model::snapshot::Snapshot;

    use super::*;

    #[test]
    fn a_server_that_is_full_is_left_out_and_a_full_pool_leaves_nobody_out() {
        for (limit, expected) in [
            ("max_active = 1", [1, 0]),
            ("max_active_per_server = 1", [UNUSABLE, 0]),
        ] {
            let text =
                format!("[pools.web]\nservers = [\"192.0.2.1:1\", \"192.0.2.1:2\"]\n{limit}\n");
            let config = config::parse(&text, Path::new("."), &Environment::empty());
            let snapshot = Snapshot::next(None, Arc::new(config.unwrap()), 1).unwrap();
            let pool = &snapshot.pools[0];
            pool.state.enter(Slot(0));
            let mut column = LoadColumn::default();
            assert_eq!(column.fill(pool, &[]), expected, "{limit}");
            assert_eq!(column.fill(pool, &[Slot(1)])[1], UNUSABLE, "{limit}");
        }
    }
}
