//! What [`Balancer::update`](crate::Balancer::update) does not carry. Needs no grant.

use alloc::string::String;

use super::backend::endpoints as host;
use crate::Slot;

/// A label of an endpoint in the binding's pool, such as `zone`. Ask in
/// `update` and keep the answer.
pub fn label(slot: Slot, name: &str) -> Option<String> {
    host::label(slot, name)
}
