//! What gateways of a cluster tell each other of what plugins keep.
//!
//! Times are milliseconds since 1970 on the clock of the cluster's memory, and so are
//! stamps: the later one wins.

use std::sync::Arc;

/// How long it is known that something was removed: an hour. A gateway that was
/// away for longer brings back what it still has.
const REMEMBERED_MS: u64 = 3_600_000;

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
    pub fn removed(stamp: u64) -> Self {
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

/// What an exchange tells the common bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Tokens that the bucket gains a second.
    pub per_second: f64,
    /// The most that it holds.
    pub burst: f64,
    /// Tokens to be taken out, below zero if need be; less than 0: given back.
    pub debit: f64,
    /// Tokens that the gateway would have needed at once.
    pub lacked: f64,
    /// Tokens that it has spent since the last exchange.
    pub used: f64,
    /// Tokens that it has in hand.
    pub held: f64,
}

/// What the common bucket answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Granted {
    /// Whole tokens for the asker, which are debited.
    pub tokens: f64,
    /// What the bucket holds then; less than 0 after takes on credit.
    pub level: f64,
    /// The most that it could hold then: its burst without what is leased.
    pub room: f64,
    /// The version by which it became known.
    pub born: u64,
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
