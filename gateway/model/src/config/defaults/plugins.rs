//! The plugins of the default set.

use super::ROUTER;
use crate::role::Role;

/// The names of the plugins that are compiled into the gateway.
pub const DEFAULT_PLUGINS: [&str; 23] = [
    "path-router",
    "round-robin",
    "weighted",
    "least-connections",
    "power-of-two",
    "ip-hash",
    "consistent-hash",
    "weighted-random",
    "first",
    "zone",
    "peak-ewma",
    "adaptive",
    "prequal",
    "sticky-cookie",
    "sticky-ip",
    "sticky-learn",
    "ab-split",
    "access",
    "auth",
    "geo",
    "headers",
    "rate-limit",
    "validate",
];

/// Those of them that are balancers.
pub const DEFAULT_BALANCERS: [&str; 12] = [
    "least-connections",
    "round-robin",
    "weighted",
    "power-of-two",
    "ip-hash",
    "consistent-hash",
    "weighted-random",
    "first",
    "zone",
    "peak-ewma",
    "adaptive",
    "prequal",
];

/// Those of them that may have a role.
pub(in crate::config) const fn default_plugins(role: Role) -> &'static [&'static str] {
    match role {
        Role::RequestPolicy => &[
            "ab-split",
            "access",
            "auth",
            "geo",
            "headers",
            "rate-limit",
            "validate",
        ],
        Role::Router => &[ROUTER],
        Role::Affinity => &["sticky-cookie", "sticky-ip", "sticky-learn"],
        Role::Balancer => &DEFAULT_BALANCERS,
        Role::ResponsePolicy => &["headers"],
    }
}
