//! A pool: the endpoints that serve the same thing, and the column of active
//! requests that its balancers read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cache::Ways;
use crate::circuit::Circuits;
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
    /// Whether any of its members has one of its own.
    pub has_limited_members: bool,
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
        let has_limited_members = limits.any(|m| m.is_some());
        let is_limited = config.overload.max_active.is_some() || has_limited_members;
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
            has_limited_members,
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

    /// How long it takes, at a time of the steady clock, until the first open circuit
    /// lets a request through; none where a member could take one at once that has not
    /// been tried in vain.
    pub fn time_left_of_circuits(&self, tried: &[Slot], steady_ms: u64) -> Option<Duration> {
        let able = |endpoint: &&Arc<Endpoint>| endpoint.is_wanted() && endpoint.passes_checks();
        let mut least: Option<Duration> = None;
        for endpoint in self.endpoints().filter(able) {
            match endpoint.state.circuit.time_left(steady_ms) {
                Some(left) => least = Some(least.map_or(left, |least| least.min(left))),
                None if tried.contains(&endpoint.slot()) => {}
                None => return None,
            }
        }
        least
    }

    /// Look at all members, and settle how many circuits may be open and whether
    /// the pool panics. To be called after each change of who is a member, who
    /// drains, who is healthy and whose circuit is closed, by one thread.
    pub fn review(&self) -> Review {
        let wanted = || self.endpoints().filter(|e| e.is_wanted());
        let able = wanted().filter(|e| e.passes_checks());
        let breaker = self.config.breaker;
        let allowed = breaker.map_or(0, |breaker| breaker.allowed(able.count())) as u32;
        let circuits = &self.state.circuits;
        circuits.allow(allowed);
        let (well, of) = (wanted().filter(|e| e.is_well()).count(), wanted().count());
        let panicking = well * 100 < of * usize::from(self.config.panic_threshold);
        let before = self.state.panicking.swap(panicking, Ordering::Relaxed);
        if before != panicking {
            self.state.eligibility_changed();
        }
        Review {
            well,
            of,
            surplus: circuits.taken().saturating_sub(allowed),
        }
    }
}

/// What a look at all members of a pool has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Review {
    /// Members that could take work and are well.
    pub well: usize,
    /// Members that could take work.
    pub of: usize,
    /// By how many more circuits are open than may be.
    pub surplus: u32,
}

/// What changes by the second in a pool: shared by all snapshots that hold it.
#[derive(Debug)]
pub struct PoolState {
    pub(crate) active: Box<[AtomicU32]>,
    /// Requests in flight on all slots that a limit of the pool counts.
    pub(crate) total: AtomicU32,
    pub(crate) queue: Arc<Queue>,
    eligibility_version: AtomicU64,
    /// How many circuits are not closed.
    pub circuits: Circuits,
    /// How requests were answered, where it caches.
    pub ways: Ways,
    panicking: AtomicBool,
    /// Members that take less than their share.
    pub(crate) warming: AtomicU32,
    slots: Mutex<SlotAllocator>,
}

#[derive(Debug, Default)]
struct SlotAllocator {
    next: u32,
    /// The lowest free slot goes out first, so that columns stay short.
    free: BinaryHeap<Reverse<u32>>,
}

impl Default for PoolState {
    fn default() -> Self {
        Self {
            active: (0..MAX_SLOTS).map(|_| AtomicU32::new(0)).collect(),
            total: AtomicU32::new(0),
            queue: Arc::default(),
            eligibility_version: AtomicU64::new(1),
            circuits: Circuits::default(),
            ways: Ways::default(),
            panicking: AtomicBool::new(false),
            warming: AtomicU32::new(0),
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

    /// Whether so few members are well that all are given work as if they were.
    pub fn is_panicking(&self) -> bool {
        self.panicking.load(Ordering::Relaxed)
    }

    /// Whether some members take less than their share.
    pub fn is_warming(&self) -> bool {
        self.warming.load(Ordering::Relaxed) > 0
    }

    /// Counts up whenever health, circuit or draining of a member changes.
    pub fn eligibility_version(&self) -> u64 {
        self.eligibility_version.load(Ordering::Acquire)
    }

    /// Say that health, circuit or draining of a member changed.
    pub fn eligibility_changed(&self) {
        self.eligibility_version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn claim_slot(pool: &Arc<Self>) -> Option<SlotLease> {
        // The allocator is only touched when endpoints come and go.
        let mut slots = pool.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match slots.free.pop() {
            Some(Reverse(slot)) => slot,
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
        slots.free.push(Reverse(self.slot.0));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::circuit::{Blow, Moment};
    use crate::config::{Environment, parse};
    use crate::endpoint::{EndpointState, Health};
    use crate::snapshot::Snapshot;

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

    /// A pool of so many servers, with these keys.
    fn pool(servers: usize, keys: &str) -> Arc<Pool> {
        let servers: Vec<_> = (1..=servers)
            .map(|n| format!("\"127.0.0.1:{n}\""))
            .collect();
        let text = format!("[pools.web]\n{keys}\nservers = [{}]", servers.join(", "));
        let config = parse(&text, Path::new(""), &Environment::empty()).unwrap();
        let snapshot = Snapshot::next(None, Arc::new(config), 1).unwrap();
        Arc::clone(&snapshot.pools[0])
    }

    /// Have the circuit of a member open; whether it does.
    fn opens(pool: &Pool, member: usize) -> bool {
        let endpoint = pool.endpoints().nth(member).unwrap();
        let breaker = pool.config.breaker.unwrap();
        let fails = |_| {
            endpoint
                .state
                .circuit
                .failed(Blow::Failure, &breaker, Moment::now())
        };
        (0..3).filter_map(fails).count() == 1
    }

    #[test]
    fn circuits_have_time_left_where_nobody_else_could_take_a_request() {
        let pool = pool(3, "breaker = { max_ejected = 100 }");
        pool.review();
        let slots: Vec<_> = pool.endpoints().map(|one| one.slot()).collect();
        let left = |tried: &[Slot], at| pool.time_left_of_circuits(tried, at);
        let before = Moment::now().steady_ms;
        assert_eq!(left(&slots, before), None, "no circuit is open");
        assert!(opens(&pool, 0) && opens(&pool, 1));
        assert_eq!(left(&[slots[0]], before), None, "the third could");
        let seconds = left(&[slots[2]], before).unwrap().as_secs();
        // It opened just after, for five.
        assert!((5..60).contains(&seconds), "{seconds}");
        let first = pool.endpoints().next().unwrap();
        first.state.circuit.half_open(1);
        assert_eq!(left(&[slots[2]], before), None, "the first is to be tried");
        first.state.set_health(Health::Unhealthy);
        assert!(left(&[slots[2]], before).is_some());
    }

    #[test]
    fn only_so_many_circuits_open_as_servers_can_stand_in() {
        let pool = pool(4, "");
        assert!(!opens(&pool, 0), "nobody has reviewed it yet");
        pool.review();
        assert!(opens(&pool, 0) && opens(&pool, 1) && !opens(&pool, 2));
        assert_eq!((pool.available(), pool.review().surplus), (2, 0));
        let last = pool.endpoints().last().unwrap();
        last.state.set_draining(true);
        assert_eq!(
            pool.review().surplus,
            0,
            "half of three, rounded up, are two"
        );
        pool.endpoints()
            .nth(2)
            .unwrap()
            .state
            .set_health(Health::Unhealthy);
        assert_eq!(pool.review().surplus, 1, "of two one has to stay");
    }

    #[test]
    fn a_pool_panics_while_fewer_are_well_than_its_threshold() {
        let pool = pool(4, "panic_threshold = 50");
        let health = |member: usize, health| {
            pool.endpoints()
                .nth(member)
                .unwrap()
                .state
                .set_health(health);
            pool.review();
        };
        health(0, Health::Unhealthy);
        health(1, Health::Unhealthy);
        assert!(!pool.state.is_panicking(), "half of them are well");
        assert_eq!(pool.available(), 2);
        let version = pool.state.eligibility_version();
        health(2, Health::Unhealthy);
        assert!(pool.state.is_panicking());
        assert_eq!(pool.available(), 4, "all of them get work");
        assert_eq!(pool.state.eligibility_version(), version + 2);
        health(2, Health::Healthy);
        assert_eq!(pool.available(), 2);
    }

    #[test]
    fn a_pool_without_a_threshold_never_panics() {
        let pool = pool(1, "");
        let only = pool.endpoints().next().unwrap();
        only.state.set_health(Health::Unhealthy);
        assert_eq!(
            pool.review(),
            Review {
                well: 0,
                of: 1,
                surplus: 0
            }
        );
        assert_eq!(pool.available(), 0);
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
