//! The optional interfaces. Export one only if you need it: it is called for
//! that, and every call costs.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Ending, Outcome};

impl Outcome {
    /// Whether the endpoint failed the attempt: no whole response, or a status
    /// of 500 or above. A client that left is no failure of the endpoint's.
    pub fn is_failure(&self) -> bool {
        self.status >= 500 || !matches!(self.ending, Ending::Completed | Ending::Abandoned)
    }
}

/// Hears how attempts ended. For balancers of both kinds and affinities.
pub trait Observer {
    /// This worker's outcomes since the last call, oldest first. Called before
    /// a decision, at most once in 10 ms, with at most 256 outcomes.
    fn observe(&mut self, outcomes: &[Outcome]);
}

/// Hands what was learned to the successor, when a new version or a new
/// configuration takes over the binding. For every role.
pub trait Handover {
    /// The state as bytes, with a schema number of your own choosing; at most
    /// 1 MiB. Key it by [`Endpoint::id`](crate::Endpoint), never by slot.
    fn save(&mut self) -> (u32, Vec<u8>);

    /// What a predecessor saved; `update` and `eligible` have been called.
    ///
    /// # Errors
    ///
    /// When the bytes cannot be used: the reason is logged, and the instance
    /// must be usable without a past.
    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<(), String>;
}
