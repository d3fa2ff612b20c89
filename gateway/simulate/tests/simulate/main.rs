//! What simulations come to, against what theory, experiments and common sense
//! say that they should.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends with the first thing that is not as it should be"
)]

mod advice;
mod battery;
mod determinism;
mod examples;
mod failures;
mod known;
mod last_resort;
mod measuring;
mod plots;
mod plugin;
mod probes;
mod properties;
mod support;
mod theory;
