//! Figures of the plugin's own, exported as `gatewright_plugin_own_total` and
//! `gatewright_plugin_own_value`. At most 64 names a binding. Grant: `metrics`.

use super::backend::metrics as host;

/// Add to a counter.
pub fn count(name: &str, by: u64) {
    host::count(name, by);
}

/// Set a gauge.
pub fn gauge(name: &str, value: f64) {
    host::gauge(name, value);
}
