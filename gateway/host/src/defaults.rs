//! The default plugin set: components that are built into the program, so that
//! it decides with WebAssembly out of the box.

use gatewright_model::id::Digest;
use gatewright_model::role::Role;
use sha2::{Digest as _, Sha256};

/// A plugin of the default set.
#[derive(Clone, Copy, Debug)]
pub struct DefaultPlugin {
    /// Its name in the configuration.
    pub name: &'static str,
    /// The roles that it can take.
    pub roles: &'static [Role],
    /// Its component.
    pub component: &'static [u8],
}

impl DefaultPlugin {
    /// Its version.
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.component).into())
    }
}

macro_rules! plugin {
    ($name:literal, $($role:ident)+) => {
        DefaultPlugin {
            name: $name,
            roles: &[$(Role::$role),+],
            component: include_bytes!(concat!("../../../plugins/dist/", $name, ".wasm")),
        }
    };
}

const DEFAULTS: [DefaultPlugin; 23] = [
    plugin!("path-router", Router),
    plugin!("sticky-cookie", Affinity),
    plugin!("sticky-ip", Affinity),
    plugin!("sticky-learn", Affinity),
    plugin!("round-robin", Balancer),
    plugin!("weighted", Balancer),
    plugin!("least-connections", Balancer),
    plugin!("power-of-two", Balancer),
    plugin!("ip-hash", Balancer),
    plugin!("consistent-hash", Balancer),
    plugin!("weighted-random", Balancer),
    plugin!("first", Balancer),
    plugin!("zone", Balancer),
    plugin!("peak-ewma", Balancer),
    plugin!("adaptive", Balancer),
    plugin!("prequal", Balancer),
    plugin!("ab-split", RequestPolicy),
    plugin!("access", RequestPolicy),
    plugin!("auth", RequestPolicy),
    plugin!("geo", RequestPolicy),
    plugin!("headers", RequestPolicy ResponsePolicy),
    plugin!("rate-limit", RequestPolicy),
    plugin!("validate", RequestPolicy),
];

/// The default plugins: a router, affinities, balancers, then policies.
pub fn defaults() -> &'static [DefaultPlugin] {
    &DEFAULTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_set_is_the_one_that_configurations_know() {
        let ours: BTreeSet<_> = DEFAULTS.iter().map(|plugin| plugin.name).collect();
        let known = BTreeSet::from(gatewright_model::config::DEFAULT_PLUGINS);
        assert_eq!(ours, known);
    }
}
