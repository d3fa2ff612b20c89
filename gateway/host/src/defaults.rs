//! The default plugin set: components that are built into the program, so that
//! it decides with WebAssembly out of the box.

use gatewright_model::config::default_roles;
use gatewright_model::id::Digest;
use gatewright_model::role::Role;
use sha2::{Digest as _, Sha256};

/// A plugin of the default set.
#[derive(Clone, Copy, Debug)]
pub struct DefaultPlugin {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its component.
    pub component: &'static [u8],
}

impl DefaultPlugin {
    /// The roles that it can take.
    pub fn roles(&self) -> &'static [Role] {
        default_roles(self.name)
    }

    /// Its version.
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.component).into())
    }
}

macro_rules! plugin {
    ($name:literal) => {
        DefaultPlugin {
            name: $name,
            component: include_bytes!(concat!("../../../plugins/dist/", $name, ".wasm")),
        }
    };
}

const DEFAULTS: [DefaultPlugin; 23] = [
    plugin!("path-router"),
    plugin!("sticky-cookie"),
    plugin!("sticky-ip"),
    plugin!("sticky-learn"),
    plugin!("round-robin"),
    plugin!("weighted"),
    plugin!("least-connections"),
    plugin!("power-of-two"),
    plugin!("ip-hash"),
    plugin!("consistent-hash"),
    plugin!("weighted-random"),
    plugin!("first"),
    plugin!("zone"),
    plugin!("peak-ewma"),
    plugin!("adaptive"),
    plugin!("prequal"),
    plugin!("ab-split"),
    plugin!("access"),
    plugin!("auth"),
    plugin!("geo"),
    plugin!("headers"),
    plugin!("rate-limit"),
    plugin!("validate"),
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
