//! A change that somebody asks for at run time, and why it may be refused.

use std::sync::Arc;

use gatewright_model::config::{ConfigErrors, Key};
use gatewright_model::id::{Digest, Generation};
use gatewright_model::role::Grant;
use gatewright_model::signature::PluginSignature;
use serde_json::Value;

use crate::access::Who;
use crate::cluster::ClusterError;
use crate::error::ReloadError;
use crate::keeper::KeepError;
use crate::registry::FetchError;
use crate::seats::SeatName;
use crate::store::{Record, Step, StoreError};

/// What is to be changed: all of it or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The word for it in the audit log, such as `server.add`.
    pub(crate) action: &'static str,
    /// What it is done to, in the audit log.
    pub(crate) target: String,
    pub(crate) edits: Vec<Edit>,
}

/// A key that is given a value or removed.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Set(Key, Value),
    Remove(Key),
    /// As the files say.
    Reset(Key),
}

impl Edit {
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::Set(key, _) | Self::Remove(key) | Self::Reset(key) => key,
        }
    }
}

/// A change with what is kept together with it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) change: Change,
    pub(crate) records: Vec<Record>,
    /// The component of a new version, to be on the disk before its record.
    pub(crate) component: Option<Arrival>,
    /// The seat that goes back to what was bound there before, and the steps
    /// that are left of its history then.
    pub(crate) back: Option<(SeatName, Vec<Step>)>,
}

/// A component that comes to be a version.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) digest: Digest,
    pub(crate) component: Arc<[u8]>,
    pub(crate) signature: Option<PluginSignature>,
}

impl Arrival {
    /// As the host takes it.
    pub(crate) fn brought(&self) -> gatewright_host::Brought<'_> {
        gatewright_host::Brought {
            component: &self.component,
            signature: self.signature.as_ref(),
        }
    }
}

impl Recorded {
    /// Whether it changes what the gateways of a cluster have together.
    pub(crate) fn is_shared(&self) -> bool {
        !self.change.edits.is_empty() || !self.records.is_empty()
    }
}

impl From<Change> for Recorded {
    fn from(change: Change) -> Self {
        Self {
            change,
            records: Vec::new(),
            component: None,
            back: None,
        }
    }
}

/// Who makes a change, for the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    pub(crate) name: String,
    pub(crate) from: Option<String>,
}

impl Author {
    /// The gateway itself.
    pub(crate) fn gateway() -> Self {
        Self {
            name: "gateway".to_owned(),
            from: None,
        }
    }
}

impl From<Who> for Author {
    fn from(who: Who) -> Self {
        Self {
            name: who.name,
            from: Some(who.from.to_string()),
        }
    }
}

/// A change that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Whether anything is otherwise than before.
    pub(crate) is_new: bool,
    pub(crate) generation: Generation,
    /// How many workers said so within a second.
    pub(crate) workers: usize,
    /// How many there are.
    pub(crate) of: usize,
}

/// Why a change is refused. What was in force before still is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// What it is about is not there.
    #[error("{0}")]
    NotFound(String),
    /// It does not go with what is there.
    #[error("{0}")]
    Conflict(String),
    /// A value is wrong.
    #[error("{message}")]
    Invalid {
        /// The field of the request, if one is to blame.
        field: Option<String>,
        message: String,
    },
    /// What it builds on is not in force any more.
    #[error("the configuration has changed since you read it; read it again")]
    Stale,
    /// A component may not have what it imports; who sends it sends its grants along,
    /// and may have no file.
    #[error("{}", not_granted(*grant, needed))]
    NotGranted {
        grant: Grant,
        /// What it may have already, and all that it lacks.
        needed: Vec<Grant>,
    },
    /// A component cannot be a plugin here.
    #[error("{0}")]
    Plugin(#[from] gatewright_host::Refusal),
    /// A component cannot be fetched.
    #[error("{reference} cannot be fetched: {error}")]
    Unfetched {
        reference: String,
        error: Box<FetchError>,
    },
    /// Too much of it is asked for at a time.
    #[error("{0}")]
    Busy(&'static str),
    /// The whole that it would make is wrong.
    #[error("{0}")]
    Wrong(#[from] ConfigErrors),
    /// A running gateway cannot take it over.
    #[error("{0}")]
    NeedsRestart(ConfigErrors),
    /// It cannot be kept.
    #[error("the change cannot be kept: {0}")]
    Store(#[from] StoreError),
    /// The cluster's server does not take it.
    #[error("{0}")]
    Cluster(#[from] ClusterError),
    /// No other gateway has taken over.
    #[error("the new gateway does not serve, and this one goes on: {0}")]
    NotUpgraded(String),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

fn not_granted(grant: Grant, needed: &[Grant]) -> String {
    let grant = grant.name();
    let needed: Vec<_> = needed.iter().copied().map(Grant::name).collect();
    let query = needed.join(",");
    let options = needed.join(" --grant ");
    format!(
        "it imports {grant:?} without the grant for it; if it may have that, send it with \
         grants={query}, which is --grant {options} of `gatewright plugin push`"
    )
}

impl Refusal {
    /// A wrong value of a field.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field: Some(field.to_owned()),
            message: message.into(),
        }
    }
}

impl From<KeepError> for Refusal {
    fn from(error: KeepError) -> Self {
        ReloadError::from(error).into()
    }
}

impl From<ReloadError> for Refusal {
    fn from(error: ReloadError) -> Self {
        match error {
            ReloadError::Config(errors) => Self::Wrong(errors),
            ReloadError::NeedsRestart(errors) => Self::NeedsRestart(errors),
            ReloadError::Store(error) => Self::Store(error),
            ReloadError::Cluster(error) => Self::Cluster(error),
            ReloadError::Stopping => Self::Stopping,
        }
    }
}
