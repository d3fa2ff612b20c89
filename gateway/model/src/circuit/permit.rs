//! The right to go to an endpoint whose circuit is not closed: a guard, so that it
//! is never lost.

use std::sync::Arc;

use super::{Moment, Turn};
use crate::config::Breaker;
use crate::endpoint::EndpointState;

/// The right of one request to go to an endpoint whose circuit is not closed.
/// Dropped without a word of how a trial ended, the next one may try.
#[derive(Debug)]
pub struct Permit {
    state: Arc<EndpointState>,
    opening: u64,
    /// Whether it is the one on trial, and not one that had nowhere else to go.
    is_trial: bool,
}

impl Permit {
    /// Take the only one that there is, if a circuit is half-open and nobody has
    /// it. Requests that may be repeated, if they fail, come first.
    pub fn take(state: &Arc<EndpointState>, may_repeat: bool) -> Option<Self> {
        let opening = state.circuit.admit(may_repeat)?;
        Some(Self {
            state: Arc::clone(state),
            opening,
            is_trial: true,
        })
    }

    /// Let a request through that has nowhere else to go, whoever else is let
    /// through: its success closes the circuit, its failure changes nothing. None
    /// where the circuit is closed, so that none is needed.
    pub fn as_last_resort(state: &Arc<EndpointState>) -> Option<Self> {
        let opening = state.circuit.opening()?;
        Some(Self {
            state: Arc::clone(state),
            opening,
            is_trial: false,
        })
    }

    /// The request has succeeded, at this moment.
    pub fn succeeded(self, at: Moment) -> Option<Turn> {
        let Self { opening, .. } = self;
        match self.is_trial {
            true => self.state.circuit.trial_succeeded(opening, at),
            false => self.state.circuit.resort_succeeded(opening, at),
        }
    }

    /// The request has failed.
    pub fn failed(self, breaker: &Breaker, at: Moment) -> Option<Turn> {
        match self.is_trial {
            true => self.state.circuit.trial_failed(self.opening, breaker, at),
            false => None,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.is_trial {
            self.state.circuit.trial_given_up(self.opening);
        }
    }
}
