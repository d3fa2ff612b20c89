//! The right to be on trial: a guard, so that it is never lost.

use std::sync::Arc;

use super::Turn;
use crate::config::Breaker;
use crate::endpoint::EndpointState;

/// The right of one request to go to an endpoint whose circuit is half-open.
/// Dropped without a word of how it ended, the next one may try.
#[derive(Debug)]
pub struct Permit {
    state: Arc<EndpointState>,
    opening: u64,
}

impl Permit {
    /// Take the only one that there is, if a circuit is half-open and nobody has
    /// it. Requests that may be repeated, if they fail, come first.
    pub fn take(state: &Arc<EndpointState>, may_repeat: bool) -> Option<Self> {
        let opening = state.circuit.admit(may_repeat)?;
        Some(Self {
            state: Arc::clone(state),
            opening,
        })
    }

    /// The request has succeeded, at this moment in milliseconds since 1970.
    pub fn succeeded(self, at: u64) -> Option<Turn> {
        self.state.circuit.trial_succeeded(self.opening, at)
    }

    /// The request has failed.
    pub fn failed(self, breaker: &Breaker, at: u64) -> Option<Turn> {
        self.state.circuit.trial_failed(self.opening, breaker, at)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.state.circuit.trial_given_up(self.opening);
    }
}
