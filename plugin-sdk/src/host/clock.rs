//! Time, as the host owns it: a simulation has its own. Grant: `clock`.

use super::backend::clock as host;

/// Nanoseconds on a clock that never goes back; its zero means nothing.
pub fn now() -> u64 {
    host::now()
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub fn unix_ms() -> u64 {
    host::unix_ms()
}
