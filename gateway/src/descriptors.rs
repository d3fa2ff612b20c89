//! Descriptors, of which every connection takes one: as many as the system
//! grants.

use gatewright_model::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raise what this process may have open at once to the most that it may ask
/// for. Shells and service managers start with 1024, which is for programs that
/// cannot do with more.
pub(crate) fn raise_limit() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        ..before
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, current = before.current, "the limit of descriptors stays");
    }
}

/// Say so when the limit is too low for the connections that may be open: loudly
/// where clients alone cannot have all of theirs, and not so where only a connection
/// to a server for each of them is too much, which few of them need at once.
pub(crate) fn judge(config: &Config) {
    let connections = config.limits.connections.saturating_mul(config.workers) as u64;
    let Some(granted) = getrlimit(Resource::Nofile).current else {
        return;
    };
    if granted <= connections {
        tracing::warn!(
            granted,
            connections,
            "the limit of descriptors is too low for the connections that clients may open: \
             raise it (ulimit -Hn, LimitNOFILE=), or lower limits.connections (now {} a worker)",
            config.limits.connections,
        );
    } else if granted < 2 * connections {
        tracing::info!(
            granted,
            connections,
            "the limit of descriptors is too low for a connection to a server for each that \
             clients may open (ulimit -Hn, LimitNOFILE=)",
        );
    }
}
