//! What two gateways tell each other while one takes over from the other: a letter
//! in the environment, which says what the inherited descriptors are, and one line
//! in return.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

/// The variable that holds the letter.
pub(super) const VARIABLE: &str = "GATEWRIGHT_HANDOVER";

/// The inherited end of the socket pair. The sockets' descriptors follow it, in
/// the letter's order.
pub(super) const CHANNEL: RawFd = 3;

/// The form of letter and answer; counted up when it changes.
pub(super) const FORM: u32 = 4;

/// What a gateway leaves to the one that it starts.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Letter {
    pub(super) form: u32,
    /// The process that wrote it, which is the reader's parent: to a process that
    /// only happens to have the variable the descriptors mean nothing.
    pub(super) from: u32,
    pub(super) sockets: Vec<Parcel>,
}

/// What is listened on at one address.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Parcel {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) is_of_manager: bool,
    pub(super) is_shared: bool,
    pub(super) has_file: bool,
    /// How many descriptors there are of it.
    pub(super) count: usize,
    /// What follows them for HTTP/3.
    pub(super) datagrams: Option<Datagrams>,
}

/// What HTTP/3 is received on at one address.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Datagrams {
    pub(super) generation: u8,
    pub(super) reset_key: [u8; 32],
    /// How many UDP sockets there are.
    pub(super) count: usize,
    /// The relays behind them: of which generation, and how many.
    pub(super) relays: Vec<(u8, usize)>,
}

/// What comes of it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// The new gateway serves.
    Ready { version: String },
    /// It does not, and ends.
    Failed { reason: String },
}
