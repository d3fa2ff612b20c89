//! The plugin host with real components: what is let in, what a decision costs
//! a plugin that misbehaves, what a change carries over.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper fails by panicking"
)]

mod admission;
mod changes;
mod defaults;
mod faults;
mod imports;
mod support;
