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

/// Say so when the limit is too low for the connections that may be open: a
/// client's and a server's each.
pub(crate) fn judge(config: &Config) {
    let connections = config.limits.connections.saturating_mul(config.workers);
    let wanted = 2 * connections as u64;
    if let Some(granted) = getrlimit(Resource::Nofile).current
        && granted < wanted
    {
        tracing::warn!(
            granted,
            wanted,
            "the limit of descriptors is too low for all connections that may be open (two each): \
             raise it (ulimit -Hn, LimitNOFILE=), or lower limits.connections (now {} a worker)",
            config.limits.connections,
        );
    }
}
