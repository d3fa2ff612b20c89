//! The keys of what a pool does when there is more to do than its servers can:
//! who waits for them, and when a second one is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::Period;

/// Requests that wait while every server has as many as it may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// How many may wait at a time, over all workers: 0 to 100,000. Beyond it:
    /// status 503.
    #[schemars(range(max = 100_000))]
    pub size: u32,
    /// How long each may wait: 10 ms to 10 min. Beyond it: status 503.
    pub timeout: Period,
}

/// Asking a second server when the first does not answer soon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// How long the first server has to itself: 1 ms to 1 h.
    pub after: Period,
}
