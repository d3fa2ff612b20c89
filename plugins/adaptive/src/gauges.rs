//! The weights in force, as figures that the gateway exports.

use std::collections::BTreeSet;

use gatewright_plugin_sdk::{Endpoint, metrics};

/// The names that were used: a binding may have so many and no more, so that of
/// further endpoints nothing is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges {
    names: BTreeSet<String>,
}

/// How many figures a binding may have.
const MOST: usize = 64;

impl Gauges {
    /// Show the weights of these endpoints, and 0 for those that are gone: a
    /// figure cannot be taken back.
    pub(crate) fn show(&mut self, endpoints: &[Endpoint], weight: impl Fn(&Endpoint) -> f64) {
        let named = endpoints.iter();
        let named = named.map(|endpoint| (format!("weight.{}", endpoint.id), weight(endpoint)));
        let mut gone = self.names.clone();
        for (name, weight) in named {
            if !gone.remove(&name) {
                if self.names.len() == MOST {
                    continue;
                }
                self.names.insert(name.clone());
            }
            metrics::gauge(&name, weight);
        }
        for name in gone {
            metrics::gauge(&name, 0.0);
        }
    }
}
