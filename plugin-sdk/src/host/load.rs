//! How busy the pool's endpoints are. Needs no grant.
//!
//! One question costs about 0.1 µs; a whole column costs as much as five.

use alloc::vec::Vec;

use super::backend::load as host;
use crate::{Report, Slot};

/// Requests that this gateway has in flight on the endpoint, over all workers;
/// [`UNUSABLE`](crate::UNUSABLE) for an unknown slot.
pub fn active(slot: Slot) -> u32 {
    host::active(slot)
}

/// [`active`] of every slot, by slot.
pub fn all_active() -> Vec<u32> {
    host::all_active()
}

/// The endpoint's response time on this worker, in microseconds: an
/// exponentially weighted mean over recent responses. 0: none yet.
pub fn response_time(slot: Slot) -> u32 {
    host::response_time(slot)
}

/// [`response_time`] of every slot, by slot.
pub fn all_response_times() -> Vec<u32> {
    host::all_response_times()
}

/// The last probe report; none where the pool has no `probe` or nothing
/// has come back.
pub fn reported(slot: Slot) -> Option<Report> {
    host::reported(slot)
}
