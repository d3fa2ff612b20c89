//! Which zone is the gateway's own, and when requests leave it.

use gatewright_plugin_sdk::{ConfigError, refuse, within};
use serde::Deserialize;

/// The settings; `zone` has to be there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The gateway's own zone, such as `eu-1a`.
    pub zone: String,
    /// The label of servers that names theirs; `zone` by default.
    #[serde(default = "label")]
    pub label: String,
    /// By how much the zone is larger than it need be: 1 to 100, 1.4 by default.
    /// So many times as large the zone's share of the eligible weight counts when
    /// it is compared with its share of all weight. At 1, requests leave as soon
    /// as the zone has lost more of its weight than the others.
    #[serde(default = "overprovisioning")]
    pub overprovisioning: f64,
    /// The eligible endpoints that the zone must have for requests to stay: 1
    /// to 10,000; 1 by default.
    #[serde(default = "minimum")]
    pub minimum: u32,
    /// The requests in flight, on an endpoint of the zone's average weight, from
    /// which on other zones help: 1 to 1,000,000; 100 by default.
    #[serde(default = "busy")]
    pub busy: u32,
}

fn label() -> String {
    "zone".into()
}

fn overprovisioning() -> f64 {
    1.4
}

fn minimum() -> u32 {
    1
}

fn busy() -> u32 {
    100
}

impl Config {
    /// Refuse what no zone and no number can be.
    ///
    /// # Errors
    ///
    /// The first key whose value will not do.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.zone.is_empty() {
            return Err(refuse(
                "zone",
                "a zone has a name: that of the gateway's own",
            ));
        }
        within("overprovisioning", self.overprovisioning, 1.0..=100.0)?;
        within("minimum", self.minimum, 1..=10_000)?;
        within("busy", self.busy, 1..=1_000_000)
    }
}
