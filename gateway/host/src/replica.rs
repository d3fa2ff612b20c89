//! What a gateway of a cluster shares with the others of what plugins keep: its
//! spaces and session tables are replicas, which workers read and write as ever.
//!
//! What a worker changes is noted by key beside it, under the lock that it holds
//! anyway, so however often a key changes between two exchanges, its newest state is
//! told once, and notes are bounded as the tables are. An exchange, which runs on
//! another thread and talks to the cluster's memory, takes the notes as [`Change`]s
//! and gives back what others changed as [`Record`]s. Whoever changes what it has heard of stamps
//! it later than that, whatever its clock says.

mod notes;
mod routes;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use gatewright_model::shared::{Change, Content, Deed, Met, Record};

use crate::lease::Gateways;
pub(crate) use notes::{Kind, Noted, Notes};
pub use routes::Share;

/// What all replicas of a gateway have in common.
pub struct Replica {
    /// The cluster's clock less the host's, in milliseconds.
    ahead_ms: AtomicI64,
    gateways: AtomicU32,
    have_read: AtomicU64,
    is_apart: AtomicBool,
    /// Whether something was noted since the exchange looked.
    is_noted: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gateways = self.gateways();
        f.debug_struct("Replica")
            .field("gateways", &gateways)
            .finish_non_exhaustive()
    }
}

impl Replica {
    /// Of a gateway that has met nobody yet: it is alone and apart. `wake` is called
    /// by workers, once after each look of the exchange, and must not block.
    pub(crate) fn new(now: Duration, unix_ms: u64, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        let replica = Self {
            ahead_ms: AtomicI64::new(0),
            gateways: AtomicU32::new(1),
            have_read: AtomicU64::new(0),
            is_apart: AtomicBool::new(true),
            is_noted: AtomicBool::new(false),
            wake,
        };
        replica.set_clock(now, unix_ms);
        replica
    }

    /// An exchange has succeeded. `now` is the host's clock, [`crate::Host::now`].
    pub fn met(&self, met: Met, now: Duration) {
        self.set_clock(now, met.clock_ms);
        self.gateways.store(met.gateways.max(1), Ordering::Relaxed);
        self.have_read.store(met.have_read, Ordering::Relaxed);
        self.is_apart.store(false, Ordering::Relaxed);
    }

    /// The others cannot be reached. Limits go on by this gateway's share.
    pub fn lost(&self) {
        self.is_apart.store(true, Ordering::Relaxed);
    }

    /// Whether something was noted since this was asked last.
    pub fn is_noted(&self) -> bool {
        self.is_noted.swap(false, Ordering::AcqRel)
    }

    /// Something was noted: one relaxed load, but for the first after each look.
    pub(crate) fn note(&self) {
        if !self.is_noted.load(Ordering::Relaxed) && !self.is_noted.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    pub(crate) fn gateways(&self) -> Gateways {
        Gateways {
            count: self.gateways.load(Ordering::Relaxed),
            is_apart: self.is_apart.load(Ordering::Relaxed),
            have_read: self.have_read.load(Ordering::Relaxed),
        }
    }

    /// A time of the host's clock on the cluster's.
    pub(crate) fn clock_ms(&self, time: Duration) -> u64 {
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        millis(time).saturating_add_signed(ahead)
    }

    /// A time of the cluster's clock on the host's.
    pub(crate) fn time(&self, clock_ms: u64) -> Duration {
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        Duration::from_millis(clock_ms.saturating_add_signed(ahead.saturating_neg()))
    }

    fn set_clock(&self, now: Duration, clock_ms: u64) {
        let ahead = i64::try_from(clock_ms).unwrap_or(i64::MAX);
        let ahead = ahead.saturating_sub_unsigned(millis(now));
        self.ahead_ms.store(ahead, Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// As many changes as go in one exchange.
#[derive(Debug, Default)]
pub struct Changes {
    /// The changes.
    pub changes: Vec<Change>,
    bytes: usize,
    /// Up to how many changes, and bytes, there is room for whoever has its turn.
    room: (usize, usize),
    /// Whether something was left for the next exchange.
    pub has_more: bool,
}

/// Changes in one exchange: what the cluster's memory does in a few milliseconds.
const MOST_CHANGES: usize = 1000;

/// Bytes of values in one exchange, or one value that is larger than the rest of it.
const MOST_BYTES: usize = 1 << 20;

impl Changes {
    /// What `tell` has to tell of each kind. All kinds have the same room, and what one
    /// leaves of it is for those that have more.
    pub(crate) fn of(mut tell: impl FnMut(Kind, &mut Self)) -> Self {
        let mut changes = Self::default();
        for parts in [Kind::ALL.len(), 1] {
            changes.has_more = false;
            for kind in Kind::ALL {
                let count = changes.changes.len() + MOST_CHANGES / parts;
                let bytes = changes.bytes + MOST_BYTES / parts;
                changes.room = (count.min(MOST_CHANGES), bytes.min(MOST_BYTES));
                tell(kind, &mut changes);
            }
        }
        changes
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= self.room.0 || self.bytes >= self.room.1
    }

    pub(crate) fn push(&mut self, field: String, deed: Deed) {
        self.bytes += field.len();
        if let Deed::Write(Record {
            content: Content::Bytes(bytes),
            ..
        }) = &deed
        {
            self.bytes += bytes.len();
        }
        self.changes.push(Change { field, deed });
    }
}

/// The parts of a table, beginning with any of them: those behind the first that fill
/// an exchange are not always the same.
pub(crate) fn from_any<T>(parts: &[T]) -> impl Iterator<Item = &T> {
    let (last, first) = parts.split_at(fastrand::usize(..=parts.len()));
    first.iter().chain(last)
}

#[cfg(test)]
mod tests;
