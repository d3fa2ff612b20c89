//! Randomness, as the host owns it: under a simulation's seed it repeats.
//! Grant: `random`.

use super::backend::random as host;

/// 64 random bits. Seed a [`Generator`](crate::Generator) with it rather than
/// calling it for every decision.
pub fn next() -> u64 {
    host::next()
}
