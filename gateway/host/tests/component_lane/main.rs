//! The host's tests once more, with every component in the component model's
//! lane: whatever holds of one lane holds of the other.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper fails by panicking"
)]

/// The lanes that the tests' hosts use.
const LANES: gatewright_host::Lanes = gatewright_host::Lanes::ComponentOnly;

#[path = "../host/admission.rs"]
mod admission;
#[path = "../host/changes.rs"]
mod changes;
#[path = "../host/defaults.rs"]
mod defaults;
#[path = "../host/faults.rs"]
mod faults;
#[path = "../host/hostile.rs"]
mod hostile;
#[path = "../host/imports.rs"]
mod imports;
#[path = "../host/support.rs"]
mod support;
