//! Descriptors, of which every connection takes one: as many as the system
//! grants.

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
