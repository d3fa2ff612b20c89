//! What was decided about one exchange, step by step: what explains it.

use std::time::{Duration, Instant};

use gatewright_model::id::{Digest, EndpointId};

use crate::binding::Place;
use crate::fault::Fault;
use crate::view::Answer;

/// The decisions about one exchange, in their order.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// One for each time that a plugin was asked.
    pub steps: Vec<Step>,
}

/// One decision.
#[derive(Clone, Debug)]
pub struct Step {
    /// The seat, and the plugin in it.
    pub place: Place,
    /// The plugin's version.
    pub version: Digest,
    /// When it was asked.
    pub began: Instant,
    /// How long it took.
    pub duration: Duration,
    /// What it said, or why it said nothing.
    pub answer: Result<Answer, Fault>,
    /// The endpoint or the pool that it named, if there is one there.
    pub chosen: Option<String>,
    /// The endpoints that could be chosen; empty for who chooses none.
    pub candidates: Vec<EndpointId>,
    /// Why, in the plugin's own words, if it said so.
    pub reason: Option<String>,
}
