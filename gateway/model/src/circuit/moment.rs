//! A moment, by two clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::reported::{BEGINNING, never_zero};

/// A moment as circuits take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By a clock that nobody sets, in milliseconds from any beginning, 1 at least:
    /// by it times are measured.
    pub steady_ms: u64,
    /// By the clock on the wall, in milliseconds since 1970, which may jump: it is
    /// only told.
    pub wall_ms: u64,
}

impl Moment {
    /// The present one.
    pub fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            steady_ms: never_zero(BEGINNING.elapsed()),
            wall_ms: wall.map_or(0, |wall| wall.as_millis() as u64),
        }
    }
}
