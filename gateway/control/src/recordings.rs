//! The recordings of balancers' decisions that somebody asked for. They are in
//! memory, few and bounded; who wants to keep one downloads it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatewright_host::Recording;

use crate::timestamp::Timestamp;

/// Recordings that there may be at a time.
pub(crate) const MOST: usize = 4;

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) id: u64,
    pub(crate) began: Timestamp,
    /// How long it was asked for, in seconds.
    pub(crate) seconds: u64,
    pub(crate) recording: Arc<Recording>,
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    latest: AtomicU64,
    kept: Mutex<Vec<Kept>>,
    /// When somebody last asked for them.
    asked: Mutex<Option<Instant>>,
}

impl Recordings {
    /// Keep one, unless there are too many.
    pub(crate) fn keep(&self, recording: &Arc<Recording>, seconds: u64) -> Option<Kept> {
        let mut kept = self.locked();
        if kept.len() >= MOST {
            return None;
        }
        let one = Kept {
            id: self.latest.fetch_add(1, Ordering::Relaxed) + 1,
            began: Timestamp::now(),
            seconds,
            recording: Arc::clone(recording),
        };
        kept.push(one.clone());
        Some(one)
    }

    /// End those of its pool that are older: an instance is on one tape.
    pub(crate) fn end_older(&self, than: &Kept) {
        let pool = &than.recording.header().pool;
        for other in self.locked().iter() {
            if other.id < than.id && other.recording.header().pool == *pool {
                other.recording.close();
            }
        }
    }

    /// Somebody asks for them.
    pub(crate) fn are_asked_for(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// For how long nobody has.
    pub(crate) fn unattended(&self) -> Duration {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.map_or(Duration::MAX, |asked| asked.elapsed())
    }

    /// All of them.
    pub(crate) fn list(&self) -> Vec<Kept> {
        self.locked().clone()
    }

    /// The one of that id.
    pub(crate) fn find(&self, id: u64) -> Option<Kept> {
        self.locked().iter().find(|kept| kept.id == id).cloned()
    }

    /// End the one of that id and forget it, with its lines.
    pub(crate) fn remove(&self, id: u64) -> Option<Kept> {
        let mut kept = self.locked();
        let place = kept.iter().position(|kept| kept.id == id)?;
        let removed = kept.remove(place);
        removed.recording.discard();
        Some(removed)
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
