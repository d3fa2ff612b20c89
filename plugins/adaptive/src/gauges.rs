//! The weights in force, as figures that the gateway exports.

use std::collections::BTreeSet;

use gatewright_plugin_sdk::{Endpoint, metrics};

/// The names that were used: a binding may have so many and no more, so that of
/// further endpoints nothing is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges {
    names: BTreeSet<String>,
    /// Whether the two lists are of the endpoints that there are.
    is_current: bool,
    /// Those with a figure, by their place among the endpoints.
    shown: Vec<(usize, String)>,
    /// The names whose endpoints are gone.
    gone: BTreeSet<String>,
}

/// How many figures a binding may have.
const MOST: usize = 64;

impl Gauges {
    /// Other endpoints are shown from now on.
    pub(crate) fn update(&mut self) {
        self.is_current = false;
    }

    /// Show the weights of these endpoints, and 0 for those that are gone: a
    /// figure cannot be taken back.
    pub(crate) fn show(&mut self, endpoints: &[Endpoint], weight: impl Fn(&Endpoint) -> f64) {
        if !self.is_current {
            self.name(endpoints);
            self.is_current = true;
        }
        for (place, name) in &self.shown {
            metrics::gauge(name, weight(&endpoints[*place]));
        }
        for name in &self.gone {
            metrics::gauge(name, 0.0);
        }
    }

    fn name(&mut self, endpoints: &[Endpoint]) {
        self.shown.clear();
        self.gone.clone_from(&self.names);
        for (place, endpoint) in endpoints.iter().enumerate() {
            let name = format!("weight.{}", endpoint.id);
            if !self.gone.remove(&name) {
                if self.names.len() == MOST {
                    continue;
                }
                self.names.insert(name.clone());
            }
            self.shown.push((place, name));
        }
    }
}
