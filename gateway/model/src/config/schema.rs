//! What Gatewright publishes about its configuration: the JSON Schema for
//! editors, and the file that a new user starts from.

use super::written::Config;

/// The JSON Schema (2020-12) of a configuration file, made from the types that
/// read it. `docs/gatewright.schema.json` is a copy.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}

/// The commented file that `gatewright init` writes.
pub fn starter() -> &'static str {
    include_str!("starter.toml")
}
