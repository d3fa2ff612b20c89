//! Why the gateway does not start, or does not take a change.

use std::io;

use gatewright_host::HostError;
use gatewright_model::config::ConfigErrors;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be had as it is written: it does not read, an
    /// address is taken, a certificate or a plugin cannot be used. It displays
    /// file, line, key, reason and remedy of each.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
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
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}
