//! What a running gateway cannot take over: whatever it bound or started with.

use gatewright_model::config::{Config, ConfigErrors};

use crate::desired::Wanted;

/// The first key that differs and cannot be changed in flight, as an error;
/// none when the change can be taken.
pub(crate) fn needed(in_force: &Config, wanted: &Wanted) -> Option<ConfigErrors> {
    let next = &*wanted.config;
    let keys = [
        ("listener", in_force.listeners != next.listeners),
        ("workers.count", in_force.workers != next.workers),
        ("admin.listen", in_force.admin.listen != next.admin.listen),
        ("admin.tls", in_force.admin.tls != next.admin.tls),
        ("admin.data", in_force.admin.data != next.admin.data),
    ];
    let (key, _) = keys.into_iter().find(|(_, differs)| *differs)?;
    let message = "it cannot change while the gateway runs; restart it, or undo this change";
    Some(wanted.error(key, "", message.to_owned()))
}
