//! The load column of a scanning balancer: active requests by slot, for the
//! slots that an attempt may use.

use std::sync::atomic::{AtomicU32, Ordering};

use gatewright_model::id::Slot;
use gatewright_model::pool::Pool;

/// What stands for a slot that the attempt may not use.
const UNUSABLE: u32 = u32::MAX;

/// Counts that are copied in one turn of the loop. Atomics are loaded one by one, so
/// that the turns are all there is to save.
const AT_ONCE: usize = 16;

/// A worker's column for one pool, refilled for every pick.
#[derive(Debug, Default)]
pub(crate) struct LoadColumn {
    /// Slots without an eligible endpoint: few as a rule, so that it costs less to
    /// overwrite them than to ask of each slot whether it is one.
    ineligible: Vec<Slot>,
    seen: (u64, u64),
    loads: Vec<u32>,
}

impl LoadColumn {
    /// The column as it is now. Which slots are eligible is only looked up
    /// again when that changed, so that a fill goes once over a dense array.
    pub(crate) fn fill(&mut self, pool: &Pool, tried: &[Slot]) -> &[u32] {
        let versions = (pool.table_version, pool.state.eligibility_version());
        if self.seen != versions {
            self.look_up(pool);
            self.seen = versions;
        }
        copy(pool.state.active_column(), &mut self.loads);
        leave_out(&mut self.loads, self.ineligible.iter().copied());
        if pool.has_limited_members {
            let full = pool.endpoints().filter(|endpoint| !endpoint.has_room());
            leave_out(&mut self.loads, full.map(|endpoint| endpoint.slot()));
        }
        leave_out(&mut self.loads, tried.iter().copied());
        &self.loads
    }

    #[cold]
    fn look_up(&mut self, pool: &Pool) {
        let is_eligible = |slot: Slot| pool.endpoint(slot).is_some_and(|one| one.is_eligible());
        let slots = (0..pool.width() as u32).map(Slot);
        self.ineligible.clear();
        self.ineligible
            .extend(slots.filter(|slot| !is_eligible(*slot)));
        self.loads.resize(pool.width(), UNUSABLE);
    }
}

/// Copy the beginning of a column that is longer than the pool is wide.
fn copy(active: &[AtomicU32], loads: &mut [u32]) {
    let (active, last_active) = active[..loads.len()].as_chunks::<AT_ONCE>();
    let (loads, last_loads) = loads.as_chunks_mut::<AT_ONCE>();
    for (loads, active) in loads.iter_mut().zip(active) {
        copy_each(active, loads);
    }
    copy_each(last_active, last_loads);
}

/// Copy as many counts as there are.
fn copy_each(active: &[AtomicU32], loads: &mut [u32]) {
    for (load, active) in loads.iter_mut().zip(active) {
        *load = active.load(Ordering::Relaxed);
    }
}

/// Say that these may not be used.
fn leave_out(loads: &mut [u32], slots: impl Iterator<Item = Slot>) {
    for slot in slots {
        if let Some(load) = loads.get_mut(slot.index()) {
            *load = UNUSABLE;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;
    use std::path::Path;
    use std::sync::Arc;

    use gatewright_model::config::{self, Environment};
    use gatewright_model::snapshot::Snapshot;

    use super::*;

    /// The snapshot of a pool with servers at these ports and these keys, after another.
    fn snapshot(before: Option<&Snapshot>, ports: RangeInclusive<usize>, keys: &str) -> Snapshot {
        let servers: Vec<_> = ports.map(|port| format!("\"192.0.2.1:{port}\"")).collect();
        let text = format!("[pools.web]\nservers = [{}]\n{keys}\n", servers.join(", "));
        let config = config::parse(&text, Path::new("."), &Environment::empty());
        Snapshot::next(before, Arc::new(config.unwrap()), 1).unwrap()
    }

    #[test]
    fn a_server_that_is_full_is_left_out_and_a_full_pool_leaves_nobody_out() {
        for (limit, expected) in [
            ("max_active = 1", [1, 0]),
            ("max_active_per_server = 1", [UNUSABLE, 0]),
        ] {
            let snapshot = snapshot(None, 1..=2, limit);
            let pool = &snapshot.pools[0];
            pool.state.enter(Slot(0));
            let mut column = LoadColumn::default();
            assert_eq!(column.fill(pool, &[]), expected, "{limit}");
            assert_eq!(column.fill(pool, &[Slot(1)])[1], UNUSABLE, "{limit}");
        }
    }

    #[test]
    fn each_slot_has_its_own_count_however_many_there_are() {
        for width in 1..=2 * AT_ONCE + 4 {
            let snapshot = snapshot(None, 1..=width, "");
            let pool = &snapshot.pools[0];
            for slot in 0..width {
                (0..=slot).for_each(|_| pool.state.enter(Slot(slot as u32)));
            }
            let mut column = LoadColumn::default();
            let mut expected: Vec<_> = (1..=width as u32).collect();
            assert_eq!(column.fill(pool, &[]), expected);
            for endpoint in pool.endpoints().step_by(3) {
                endpoint.state.set_draining(true);
                expected[endpoint.slot().index()] = UNUSABLE;
            }
            assert_eq!(column.fill(pool, &[]), expected);
            expected[width - 1] = UNUSABLE;
            let last = Slot(width as u32 - 1);
            assert_eq!(column.fill(pool, &[last]), expected);
        }
    }

    #[test]
    fn a_server_that_takes_work_again_is_counted_again() {
        let snapshot = snapshot(None, 1..=2, "");
        let pool = &snapshot.pools[0];
        let first = pool.endpoint(Slot(0)).unwrap();
        let mut column = LoadColumn::default();
        for (drains, load) in [(true, UNUSABLE), (false, 0)] {
            first.state.set_draining(drains);
            assert_eq!(column.fill(pool, &[]), [load, 0]);
        }
        assert_eq!(column.fill(pool, &[Slot(1)]), [0, UNUSABLE]);
        assert_eq!(column.fill(pool, &[]), [0, 0], "that was one attempt");
    }

    #[test]
    fn a_slot_that_a_server_has_left_is_left_out() {
        let before = snapshot(None, 1..=3, "");
        let mut column = LoadColumn::default();
        assert_eq!(column.fill(&before.pools[0], &[]), [0, 0, 0]);
        let after = snapshot(Some(&before), 2..=3, "");
        assert_eq!(column.fill(&after.pools[0], &[]), [UNUSABLE, 0, 0]);
    }
}
