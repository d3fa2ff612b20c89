//! How requests to a pool that caches were answered.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From what is kept.
    Hit,
    /// From what is kept, although it was stale.
    Stale,
    /// From what is kept, once a server had said that it is still right.
    Revalidated,
    /// By a server.
    Miss,
    /// By a server, since nothing is kept for requests like it.
    Bypass,
}

impl Way {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Hit,
        Self::Stale,
        Self::Revalidated,
        Self::Miss,
        Self::Bypass,
    ];

    /// Its name in figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// How many requests were answered in each way, over all workers.
#[derive(Debug, Default)]
pub struct Ways([AtomicU64; Way::ALL.len()]);

impl Ways {
    /// Count one.
    pub fn count(&self, way: Way) {
        self.0[way as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn of(&self, way: Way) -> u64 {
        self.0[way as usize].load(Ordering::Relaxed)
    }
}
