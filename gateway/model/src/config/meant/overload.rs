//! What a pool does when there is more to do than its servers can.

use std::num::NonZeroU32;
use std::time::Duration;

/// The most requests that may be in flight in a pool at a time, over all workers
/// and servers, and who waits while there are so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload {
    /// Requests in flight on each server that says nothing else; none: no limit.
    pub max_active_per_server: Option<NonZeroU32>,
    /// Requests in flight on all servers of the pool; none: no limit.
    pub max_active: Option<NonZeroU32>,
    /// Who waits for a server that has room; none: nobody.
    pub queue: Option<Queue>,
    /// How long the first server has a request to itself before a second is
    /// asked too; none: for as long as it takes.
    pub hedge_after: Option<Duration>,
}

/// Requests that wait for a server that has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many may wait at a time, over all workers: 1 or more.
    pub size: usize,
    /// How long each may wait.
    pub timeout: Duration,
}
