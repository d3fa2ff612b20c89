//! The plugin's own log, kept by the gateway. Needs no grant.
//!
//! Text beyond 4 KiB is cut; beyond 100 entries a second, entries are dropped
//! and counted.

use super::backend::log as host;
pub use crate::bindings::everything::gatewright::plugin::log::Level;

/// Write one entry.
pub fn write(level: Level, message: &str) {
    host::write(level, message);
}

/// Something is wrong and someone must act.
pub fn error(message: &str) {
    write(Level::Error, message);
}

/// Something is odd and goes on.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something that an operator may want to know.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something for whoever works on the plugin.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}
