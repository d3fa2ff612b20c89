//! What a gateway of a cluster shares with the others of what plugins keep: its
//! spaces and session tables are replicas, which workers read and write as ever.
//!
//! What a worker changes is noted by key beside it, under the lock that it holds
//! anyway, so however often a key changes between two exchanges, its newest state is
//! told once, and notes are bounded as the tables are. An exchange, which runs on
//! another thread and talks to the cluster's memory, takes the notes as [`Change`]s
//! and gives back what others changed as [`Record`]s.
//!
//! Times in these are milliseconds since 1970 on the clock of the cluster's memory,
//! and so are stamps: the later one wins. Whoever changes what it has heard of stamps
//! it later than that, whatever its clock says.

mod notes;
mod routes;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::lease::{Ask, Gateways, Granted};
pub(crate) use notes::Notes;
pub use routes::Share;

/// How long it is known that something was removed: an hour. A gateway that was
/// away for longer brings back what it still has.
const REMEMBERED_MS: u64 = 3_600_000;

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

/// What an exchange has heard beside records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// The cluster's clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// Gateways that are there, this one included.
    pub gateways: u32,
    /// The version up to which all others have read.
    pub have_read: u64,
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

/// Something that was changed here.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is changed, by the name that all gateways have for it.
    pub field: String,
    /// What is to be done to it.
    pub deed: Deed,
}

/// What an exchange is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Write it, unless what is there is newer.
    Write(Record),
    /// Add to a number. It begins at 0 with this end of its time, if it is not there.
    Add {
        /// When the last addition was.
        stamp: u64,
        /// The end of its time; none: never.
        expires: Option<u64>,
        /// How much.
        delta: i64,
    },
    /// Lease of a token bucket, which answers.
    Lease(Ask),
}

/// Something that is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it was changed.
    pub stamp: u64,
    /// The end of its time; none: never.
    pub expires: Option<u64>,
    /// What it is.
    pub content: Content,
}

/// What is shared.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A value of a plugin.
    Bytes(Arc<Vec<u8>>),
    /// A plugin's sum.
    Number(i64),
    /// Nothing any more.
    Removed,
    /// A session; it was used its idle time before it expires.
    Session {
        /// The endpoint's id.
        endpoint: String,
        /// After so long without use it is forgotten.
        idle_ms: u64,
        /// When it began.
        created_ms: u64,
    },
    /// A token bucket that somebody uses.
    Bucket {
        /// What it held when it was announced.
        level: f64,
        /// When that was.
        at_ms: u64,
        /// The version by which it became known.
        born: u64,
    },
}

impl Record {
    /// What is left of something that was removed.
    pub(crate) fn removed(stamp: u64) -> Self {
        Self {
            stamp,
            expires: Some(stamp.saturating_add(REMEMBERED_MS)),
            content: Content::Removed,
        }
    }
}

/// What a bucket has answered, and how long it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leased {
    /// The answer.
    pub granted: Granted,
    /// The end of the bucket's time.
    pub expires: u64,
}

/// As many changes as go in one exchange.
#[derive(Debug, Default)]
pub struct Changes {
    /// The changes.
    pub changes: Vec<Change>,
    bytes: usize,
    /// Whether something was left for the next exchange.
    pub has_more: bool,
}

/// Changes in one exchange: what the cluster's memory does in a few milliseconds.
const MOST_CHANGES: usize = 1000;

/// Bytes of values in one exchange, or one value that is larger than the rest of it.
const MOST_BYTES: usize = 1 << 20;

impl Changes {
    fn is_full(&self) -> bool {
        self.changes.len() >= MOST_CHANGES || self.bytes >= MOST_BYTES
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
