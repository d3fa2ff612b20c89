//! How many requests may be in flight at once: on a server, and in a pool. The
//! limits are exact over all workers, since who counts itself in compares and
//! swaps; where there is no limit it merely adds.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::endpoint::Endpoint;
use crate::id::Slot;
use crate::pool::{Pool, PoolState};
use crate::queue::Queue;

/// The most requests in flight on a slot, and in the whole pool.
type Limits = (Option<NonZeroU32>, Option<NonZeroU32>);

/// As what a request was counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nobody waits for its end: there was no limit.
    Free,
    /// One on its server.
    OnServer,
    /// One on its server and one in its pool.
    InPool,
}

/// Count up, unless there are as many as there may be.
fn count_in(count: &AtomicU32, most: Option<NonZeroU32>) -> bool {
    let up = |now: u32| most.is_none_or(|most| now < most.get()).then(|| now + 1);
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, up)
        .is_ok()
}

impl Pool {
    /// Count a request in on a member, if the limits allow one more. Pair it with
    /// [`PoolState::exit`] by a guard's drop.
    pub fn try_enter(&self, endpoint: &Endpoint) -> Option<Entry> {
        if !self.is_limited {
            self.state.enter(endpoint.slot());
            return Some(Entry::Free);
        }
        let most = (endpoint.max_active, self.config.overload.max_active);
        self.state.try_enter(endpoint.slot(), most)
    }

    /// How many more requests the limits allow on members that may take new work
    /// now; none if no member may take any.
    pub fn room(&self) -> Option<usize> {
        let eligible = self.endpoints().filter(|endpoint| endpoint.is_eligible());
        let on_one = |endpoint: &Arc<Endpoint>| match endpoint.max_active {
            None => usize::MAX,
            Some(most) => most.get().saturating_sub(endpoint.state.active()) as usize,
        };
        let on_all = eligible.map(on_one).reduce(usize::saturating_add)?;
        Some(on_all.min(self.room_of_all()))
    }

    /// How many more requests the limit of the whole pool allows.
    fn room_of_all(&self) -> usize {
        let most = self.config.overload.max_active;
        most.map_or(usize::MAX, |most| {
            most.get().saturating_sub(self.state.total()) as usize
        })
    }

    /// Whether a member has room for one more request within all limits.
    pub fn has_room_on(&self, endpoint: &Endpoint) -> bool {
        self.room_of_all() > 0 && endpoint.has_room()
    }

    /// Whether any member that may take new work has room for one more request.
    pub fn has_room(&self) -> bool {
        let mut endpoints = self.endpoints();
        self.room_of_all() > 0 && endpoints.any(|e| e.is_eligible() && e.has_room())
    }
}

impl PoolState {
    /// Count a request in within limits: of its slot, and of the whole pool.
    fn try_enter(&self, slot: Slot, (most, of_all): Limits) -> Option<Entry> {
        if !count_in(&self.active[slot.index()], most) {
            return None;
        }
        if of_all.is_none() {
            return Some(Entry::OnServer);
        }
        if count_in(&self.total, of_all) {
            return Some(Entry::InPool);
        }
        // Nobody is called: whoever found the slot full for this moment would have
        // found the pool full, and to call oneself would be to wait for nobody.
        self.active[slot.index()].fetch_sub(1, Ordering::SeqCst);
        None
    }

    /// The request is over that was counted in so. Where there are limits, who
    /// waits is told.
    pub fn exit(&self, slot: Slot, entry: Entry) {
        if entry == Entry::Free {
            return self.leave(slot);
        }
        self.active[slot.index()].fetch_sub(1, Ordering::SeqCst);
        if entry == Entry::InPool {
            self.total.fetch_sub(1, Ordering::SeqCst);
        }
        self.queue.call_next();
    }

    /// Requests in flight that a limit of the whole pool counts: those that
    /// began while there was one.
    pub fn total(&self) -> u32 {
        self.total.load(Ordering::Relaxed)
    }

    /// Where requests wait that nobody has room for.
    pub fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Wake, Waker};
    use std::thread::{self, Thread};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn no_more_are_counted_in_than_the_limits_allow_from_however_many_threads() {
        let pool = PoolState::default();
        let limits = |most, of_all| (NonZeroU32::new(most), NonZeroU32::new(of_all));
        for (most, of_all, expected) in [(7, 0, 14), (7, 10, 10), (0, 9, 9)] {
            let entries = thread::scope(|scope| {
                let threads = [0, 1, 0, 1].map(|slot| {
                    let pool = &pool;
                    scope.spawn(move || {
                        let slot = Slot(slot);
                        let tries = (0..100).map(|_| pool.try_enter(slot, limits(most, of_all)));
                        tries
                            .flatten()
                            .map(|entry| (slot, entry))
                            .collect::<Vec<_>>()
                    })
                });
                threads.map(|thread| thread.join().unwrap()).concat()
            });
            assert_eq!(entries.len(), expected);
            entries
                .iter()
                .for_each(|(slot, entry)| pool.exit(*slot, *entry));
            let left = (pool.active(Slot(0)), pool.active(Slot(1)), pool.total());
            assert_eq!(left, (0, 0, 0));
        }
    }

    /// Wakes a thread that is parked.
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// How long a thread waits before it has been forgotten.
    const FORGOTTEN: Duration = Duration::from_secs(10);

    /// Count in as a request does: at once, or after waiting.
    fn enter(pool: &PoolState, slot: Slot, most: NonZeroU32) -> Entry {
        let limits = (Some(most), None);
        if !pool.queue().is_waited_in()
            && let Some(entry) = pool.try_enter(slot, limits)
        {
            return entry;
        }
        let mut place = pool.queue().join(usize::MAX).unwrap();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let cx = Context::from_waker(&waker);
        loop {
            if place.poll_called(&cx).is_pending() {
                let began = Instant::now();
                thread::park_timeout(FORGOTTEN);
                assert!(began.elapsed() < FORGOTTEN, "nobody has called");
            } else if let Some(entry) = pool.try_enter(slot, limits) {
                place.served(pool.active(slot) < most.get());
                return entry;
            } else {
                place.keep();
            }
        }
    }

    #[test]
    fn who_waits_is_never_forgotten_even_if_nobody_sweeps() {
        let pool = PoolState::default();
        let most = NonZeroU32::new(2).unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let entry = enter(&pool, Slot(3), most);
                        assert!(pool.active(Slot(3)) <= 2);
                        thread::yield_now();
                        pool.exit(Slot(3), entry);
                    }
                });
            }
        });
        assert_eq!(
            (pool.active(Slot(3)), pool.queue().figures().waiting),
            (0, 0)
        );
    }
}
