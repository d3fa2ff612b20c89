//! The plugins of the default set.

use super::ROUTER;
use crate::role::Role;

/// The plugins that are compiled into the gateway, each with the roles that it may
/// have. The first balancer is the one that balances when nobody is named.
const SET: [(&str, &[Role]); 23] = [
    (ROUTER, &[Role::Router]),
    ("least-connections", &[Role::Balancer]),
    ("round-robin", &[Role::Balancer]),
    ("weighted", &[Role::Balancer]),
    ("power-of-two", &[Role::Balancer]),
    ("ip-hash", &[Role::Balancer]),
    ("consistent-hash", &[Role::Balancer]),
    ("weighted-random", &[Role::Balancer]),
    ("first", &[Role::Balancer]),
    ("zone", &[Role::Balancer]),
    ("peak-ewma", &[Role::Balancer]),
    ("adaptive", &[Role::Balancer]),
    ("prequal", &[Role::Balancer]),
    ("sticky-cookie", &[Role::Affinity]),
    ("sticky-ip", &[Role::Affinity]),
    ("sticky-learn", &[Role::Affinity]),
    ("ab-split", &[Role::RequestPolicy]),
    ("access", &[Role::RequestPolicy]),
    ("auth", &[Role::RequestPolicy]),
    ("geo", &[Role::RequestPolicy]),
    ("headers", &[Role::RequestPolicy, Role::ResponsePolicy]),
    ("rate-limit", &[Role::RequestPolicy]),
    ("validate", &[Role::RequestPolicy]),
];

/// The names of the plugins that are compiled into the gateway.
pub const DEFAULT_PLUGINS: [&str; SET.len()] = {
    let mut names = [""; SET.len()];
    let mut at = 0;
    while at < SET.len() {
        names[at] = SET[at].0;
        at += 1;
    }
    names
};

/// Those of them that are balancers.
pub const DEFAULT_BALANCERS: [&str; BALANCERS] = {
    let mut names = [""; BALANCERS];
    let (mut at, mut found) = (0, 0);
    while at < SET.len() {
        if balances(at) {
            names[found] = SET[at].0;
            found += 1;
        }
        at += 1;
    }
    names
};

/// How many there are.
const BALANCERS: usize = {
    let (mut at, mut found) = (0, 0);
    while at < SET.len() {
        found += balances(at) as usize;
        at += 1;
    }
    found
};

const fn balances(at: usize) -> bool {
    matches!(SET[at].1, [Role::Balancer])
}

/// Those of them that may have a role.
pub(in crate::config) fn default_plugins(role: Role) -> impl Iterator<Item = &'static str> {
    let fit = SET.iter().filter(move |(_, roles)| roles.contains(&role));
    fit.map(|(name, _)| *name)
}

/// The roles that a plugin of the default set may have; none of any other.
pub fn default_roles(plugin: &str) -> &'static [Role] {
    let found = SET.iter().find(|(name, _)| *name == plugin);
    found.map_or(&[], |(_, roles)| roles)
}
