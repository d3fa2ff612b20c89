//! Why the gateway does not start, or does not take a change.

use std::io;

use gatewright_host::HostError;
use gatewright_model::config::ConfigErrors;

use crate::cluster::ClusterError;
use crate::keeper::KeepError;
use crate::store::StoreError;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be had as it is written: it does not read, an
    /// address is taken, a certificate or a plugin cannot be used. It displays
    /// file, line, key, reason and remedy of each.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// What outlives a restart cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A service manager hands over a socket that is not configured.
    #[error(
        "a socket at {address}, which is called {name:?}, was handed over by the service manager, \
         and no listener wants it: give the socket unit the name of a listener \
         (FileDescriptorName={example}), or a [[listener]] that address; the admin listener is \
         called \"admin\""
    )]
    Unwanted {
        /// Where it listens.
        address: String,
        /// What it is called.
        name: String,
        /// A name that there is.
        example: String,
    },
    /// The plugin host cannot be set up.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The system gives no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Why a change was not taken. What was in force before still is.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration is wrong, or one of its plugins cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Nothing is wrong, but a running gateway cannot take it over.
    #[error("needs a restart: {0}")]
    NeedsRestart(ConfigErrors),
    /// It cannot be kept for the next start.
    #[error("the change cannot be kept: {0}")]
    Store(#[from] StoreError),
    /// The cluster's server does not take it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

impl ReloadError {
    /// Without files and lines, for a change that did not come from files.
    pub(crate) fn without_places(self) -> Self {
        match self {
            Self::Config(errors) => Self::Config(errors.without_places()),
            Self::NeedsRestart(errors) => Self::NeedsRestart(errors.without_places()),
            error @ (Self::Store(_) | Self::Cluster(_) | Self::Stopping) => error,
        }
    }
}

impl From<KeepError> for ReloadError {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Store(error) => Self::Store(error),
            KeepError::Cluster(error) => Self::Cluster(error),
        }
    }
}

impl From<ReloadError> for StartError {
    fn from(error: ReloadError) -> Self {
        match error {
            ReloadError::Config(errors) | ReloadError::NeedsRestart(errors) => Self::Config(errors),
            ReloadError::Store(error) => Self::Store(error),
            ReloadError::Cluster(error) => Self::Thread(io::Error::other(error)),
            ReloadError::Stopping => Self::Thread(io::Error::other("the gateway is stopping")),
        }
    }
}
