//! What a host tells of its plugins while traffic flows.

use gatewright_model::id::{Digest, PluginName, PolicyName, PoolName};
use gatewright_model::role::Role;

use crate::binding::Part;
use crate::fault::Fault;

/// Something that an operator would want to know, with the seat it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEvent {
    /// The seat's role.
    pub role: Role,
    /// The seat's pool; none for policies and the router.
    pub pool: Option<PoolName>,
    /// The policy's name; none for what is no policy.
    pub policy: Option<PolicyName>,
    /// The plugin.
    pub plugin: PluginName,
    /// What it is there for.
    pub part: Part,
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
