//! A pool: the endpoints that serve the same thing, and the column of active
//! requests that its balancers read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::PoolConfig;
use crate::endpoint::Endpoint;
use crate::id::{PoolIndex, PoolName, Slot};
use crate::queue::Queue;

/// The most endpoints that a pool may have at a time. A bound on the columns
/// that are handed to plugins; far above what a health checker can keep up with.
pub const MAX_SLOTS: usize = 4096;

/// A pool as a snapshot holds it. Immutable; what moves is in [`PoolState`].
#[derive(Debug)]
pub struct Pool {
    /// Its name in the configuration.
    pub name: PoolName,
    /// Its place in the snapshot.
    pub index: PoolIndex,
    /// What is configured of it.
    pub config: Arc<PoolConfig>,
    /// Counts up whenever membership, weights or labels change: what tells a
    /// plugin's instance that its table is out of date.
    pub table_version: u64,
    /// What outlives a snapshot.
    pub state: Arc<PoolState>,
    /// Whether it, or any of its members, has a limit of requests in flight.
    pub is_limited: bool,
    slots: Vec<Option<Arc<Endpoint>>>,
}

impl Pool {
    /// A pool with these members.
    pub fn new(
        index: PoolIndex,
        config: Arc<PoolConfig>,
        state: Arc<PoolState>,
        table_version: u64,
        endpoints: Vec<Arc<Endpoint>>,
    ) -> Self {
        let mut limits = endpoints.iter().map(|endpoint| endpoint.max_active);
        let is_limited = config.overload.max_active.is_some() || limits.any(|m| m.is_some());
        let length = endpoints.iter().map(|e| e.slot().index() + 1).max();
        let mut slots = vec![None; length.unwrap_or(0)];
        for endpoint in endpoints {
            let slot = endpoint.slot().index();
            slots[slot] = Some(endpoint);
        }
        Self {
            name: config.name.clone(),
            index,
            config,
            table_version,
            state,
            is_limited,
            slots,
        }
    }

    /// One more than the highest slot in use: the length of its columns.
    pub fn width(&self) -> usize {
        self.slots.len()
    }

    /// The endpoint in a slot, if the slot is taken.
    pub fn endpoint(&self, slot: Slot) -> Option<&Arc<Endpoint>> {
        self.slots.get(slot.index())?.as_ref()
    }

    /// Its members in the order of their slots.
    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.slots.iter().flatten()
    }

    /// How many members may take new work now.
    pub fn available(&self) -> usize {
        self.endpoints().filter(|e| e.is_eligible()).count()
    }
}

/// What changes by the second in a pool: shared by all snapshots that hold it.
#[derive(Debug)]
pub struct PoolState {
    pub(crate) active: Box<[AtomicU32]>,
    /// Requests in flight on all slots that a limit of the pool counts.
    pub(crate) total: AtomicU32,
    pub(crate) queue: Arc<Queue>,
    eligibility_version: AtomicU64,
    slots: Mutex<SlotAllocator>,
}

#[derive(Debug, Default)]
struct SlotAllocator {
    next: u32,
    free: Vec<u32>,
}

impl Default for PoolState {
    fn default() -> Self {
        Self {
            active: (0..MAX_SLOTS).map(|_| AtomicU32::new(0)).collect(),
            total: AtomicU32::new(0),
            queue: Arc::default(),
            eligibility_version: AtomicU64::new(1),
            slots: Mutex::default(),
        }
    }
}

impl PoolState {
    /// Requests in flight on a slot over all workers.
    pub fn active(&self, slot: Slot) -> u32 {
        let active = self.active.get(slot.index());
        active.map_or(u32::MAX, |active| active.load(Ordering::Relaxed))
    }

    /// The same of every slot there can be, by slot: to be read in one go.
    pub fn active_column(&self) -> &[AtomicU32] {
        &self.active
    }

    /// Count a request in flight on a slot. Pair it with [`Self::leave`] by a
    /// guard's drop, so that the count stays exact under cancellation.
    pub fn enter(&self, slot: Slot) {
        self.active[slot.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// The request is over.
    pub fn leave(&self, slot: Slot) {
        self.active[slot.index()].fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts up whenever health or draining of a member changes.
    pub fn eligibility_version(&self) -> u64 {
        self.eligibility_version.load(Ordering::Acquire)
    }

    /// Say that health or draining of a member changed.
    pub fn eligibility_changed(&self) {
        self.eligibility_version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn claim_slot(pool: &Arc<Self>) -> Option<SlotLease> {
        // The allocator is only touched when endpoints come and go.
        let mut slots = pool.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match slots.free.pop() {
            Some(slot) => slot,
            None if slots.next as usize == MAX_SLOTS => return None,
            None => {
                slots.next += 1;
                slots.next - 1
            }
        };
        Some(SlotLease {
            pool: Arc::clone(pool),
            slot: Slot(slot),
        })
    }
}

/// The right to a slot; dropping it frees the slot for another endpoint.
#[derive(Debug)]
pub(crate) struct SlotLease {
    pool: Arc<PoolState>,
    slot: Slot,
}

impl SlotLease {
    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    pub(crate) fn pool(&self) -> &Arc<PoolState> {
        &self.pool
    }
}

impl Drop for SlotLease {
    fn drop(&mut self) {
        let slots = self.pool.slots.lock();
        let mut slots = slots.unwrap_or_else(PoisonError::into_inner);
        slots.free.push(self.slot.0);
        // The lowest free slot goes out first, so that columns stay short.
        slots.free.sort_unstable_by(|a, b| b.cmp(a));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{EndpointState, Health};

    #[test]
    fn a_slot_is_not_reused_while_anyone_holds_its_endpoint() {
        let pool = Arc::new(PoolState::default());
        let first = EndpointState::claim(&pool, 1).unwrap();
        let held = Arc::clone(&first);
        drop(first);
        let second = EndpointState::claim(&pool, 1).unwrap();
        assert_ne!(held.slot(), second.slot());
        let freed = held.slot();
        drop(held);
        assert_eq!(EndpointState::claim(&pool, 1).unwrap().slot(), freed);
    }

    #[test]
    fn a_full_pool_gives_no_slot() {
        let pool = Arc::new(PoolState::default());
        let all: Vec<_> = (0..MAX_SLOTS)
            .map(|_| EndpointState::claim(&pool, 0).unwrap())
            .collect();
        assert!(EndpointState::claim(&pool, 0).is_none());
        drop(all);
        assert!(EndpointState::claim(&pool, 0).is_some());
    }

    #[test]
    fn only_a_change_of_health_counts_as_one() {
        let pool = Arc::new(PoolState::default());
        let endpoint = EndpointState::claim(&pool, 1).unwrap();
        let before = pool.eligibility_version();
        assert!(endpoint.set_health(Health::Healthy));
        assert!(!endpoint.set_health(Health::Healthy));
        assert_eq!(pool.eligibility_version(), before + 1);
    }

    #[test]
    fn active_counts_pair_up() {
        let pool = PoolState::default();
        pool.enter(Slot(7));
        pool.enter(Slot(7));
        pool.leave(Slot(7));
        assert_eq!(pool.active(Slot(7)), 1);
        assert_eq!(pool.active(Slot(99_999)), u32::MAX);
    }
}
