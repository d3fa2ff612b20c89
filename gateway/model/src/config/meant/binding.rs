//! Plugins in the seats of the chain, and where they come from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::defaults::USUAL_MEMORY;
use crate::id::{Digest, PluginName, PolicyName};
use crate::role::{Grant, Role};

/// A plugin in a seat of the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Which seat.
    pub role: Role,
    /// Which plugin: a key of [`Config::plugins`].
    pub plugin: PluginName,
    /// Its configuration as JSON text, always an object.
    pub config: Arc<str>,
    /// How long a decision may take.
    pub deadline: Duration,
    /// The most of a worker's time that decisions may take, in percent; none for
    /// no limit.
    pub cpu_share: Option<u8>,
    /// The share of a worker's time, in percent, beyond which the plugin is
    /// reported as heavy; 100 for never.
    pub cpu_alarm: u8,
    /// Which version; none for the one that the plugin has now.
    pub version: Option<Digest>,
    /// Another version that decides for a share of the requests.
    pub canary: Option<Canary>,
    /// Another version that is asked too and never obeyed.
    pub shadow: Option<Shadow>,
}

/// A version that decides for a share of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The version.
    pub version: Digest,
    /// The share of requests that it decides for, in percent: 1 to 100.
    pub percent: u8,
}

/// A version whose decisions are compared with those that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The version.
    pub version: Digest,
    /// The share of decisions that it is asked for too, in percent: 1 to 100.
    pub sample: u8,
}

/// A policy's binding.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name, no other policy's: what is written, or else the plugin's.
    pub name: PolicyName,
    /// The plugin; its role is a request or a response policy, as the
    /// component exports. [`Role::RequestPolicy`] unless written otherwise.
    pub binding: Binding,
    /// What becomes of a request when it faults.
    pub on_fault: OnFault,
}

/// What a faulting policy means for the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFault {
    /// It is answered with 503: authentication must not fail open.
    #[default]
    Deny,
    /// It goes on.
    Allow,
}

impl fmt::Display for OnFault {
    /// As a file would say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
        })
    }
}

/// Where a plugin's component comes from and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSource {
    /// The component's file, watched; none for one of the default set and for
    /// one that was uploaded.
    pub file: Option<PathBuf>,
    /// The version that bindings have that name none; none for what the file or
    /// the default set has.
    pub version: Option<Digest>,
    /// The imports that it may use beside those that need no grant.
    pub grants: Vec<Grant>,
    /// The most memory that an instance may have, in bytes.
    pub memory: u64,
}

impl PluginSource {
    /// What a plugin of the default set has that nobody has declared otherwise.
    pub fn usual() -> Self {
        Self {
            file: None,
            version: None,
            grants: Grant::ALL.to_vec(),
            memory: USUAL_MEMORY.0,
        }
    }
}
