//! The circuits of a pool together: how many are not closed, and how many may be.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many circuits of a pool are not closed.
#[derive(Debug, Default)]
pub struct Circuits {
    /// Those that are not closed.
    taken: AtomicU32,
    /// The most that may be; none before the pool was reviewed.
    allowed: AtomicU32,
    /// Those that wait for a request to be tried.
    waiting: AtomicU32,
}

impl Circuits {
    /// Whether some wait for a request to be tried.
    pub fn wait_for_trials(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// How many are not closed.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Set how many may be open; those that are stay.
    pub(crate) fn allow(&self, allowed: u32) {
        self.allowed.store(allowed, Ordering::Relaxed);
    }

    pub(super) fn take(&self) -> bool {
        let allowed = self.allowed.load(Ordering::Relaxed);
        let one_more = |taken| (taken < allowed).then_some(taken + 1);
        let order = Ordering::Relaxed;
        self.taken.fetch_update(order, order, one_more).is_ok()
    }

    pub(super) fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// One waits for a request to be tried.
    pub(super) fn waits(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// One waits no more.
    pub(super) fn waits_no_more(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
