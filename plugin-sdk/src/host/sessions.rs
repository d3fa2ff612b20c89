//! The pool's session table, shared by all workers and cleaned by the gateway.
//! Grant: `sessions`.

use super::backend::sessions as host;
use crate::Slot;

/// The endpoint of a session; this counts as use.
pub fn get(key: &str) -> Option<Slot> {
    host::get(key)
}

/// Remember a session. It is forgotten after `idle_seconds` without use.
pub fn set(key: &str, slot: Slot, idle_seconds: u32) {
    host::set(key, slot, idle_seconds);
}

/// Forget a session.
pub fn remove(key: &str) {
    host::remove(key);
}
