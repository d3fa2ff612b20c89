//! What a host tells of its plugins while traffic flows.

use gatewright_model::id::Digest;

use crate::binding::Place;
use crate::fault::Fault;

/// Something that an operator would want to know, with the seat it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEvent {
    /// The seat and the plugin.
    pub place: Place,
    /// The plugin's version.
    pub version: Digest,
    /// What happened.
    pub happening: Happening,
}

/// What happened to a version in a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A call had no answer.
    Faulted {
        /// The cause.
        fault: Fault,
        /// What the runtime said, with the plugin's stack where it has one.
        detail: String,
    },
    /// The version faulted too often and is asked no more. Preparing again
    /// seats the version before it, if there was one.
    Quarantined,
}
