//! The plugin host with real components: what is let in, what a decision costs
//! a plugin that misbehaves, what a change carries over.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper fails by panicking"
)]

/// The lanes that the tests' hosts use.
const LANES: gatewright_host::Lanes = gatewright_host::Lanes::Both;

mod admission;
mod affinities;
mod balancers;
mod changes;
mod defaults;
mod everything;
mod exchange;
mod faults;
mod frozen;
mod hostile;
mod imports;
mod lanes;
mod networks;
mod policies;
mod proved;
mod recordings;
mod rollout;
mod routes;
mod shapes;
mod simulated;
mod support;
mod turns;
