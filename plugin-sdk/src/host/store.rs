//! Values that all workers share and that outlive an instance. Grant: `store`.
//!
//! Each binding has a space of its own. A call costs about 0.3 µs.

use alloc::vec::Vec;

use super::backend::store as host;
use crate::Taken;

/// A value, unless it is absent or has expired.
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::get(key)
}

/// Set a value. It expires after `ttl_ms` milliseconds; 0 keeps it until the
/// space is full.
pub fn set(key: &str, value: &[u8], ttl_ms: u32) {
    host::set(key, value, ttl_ms);
}

/// Remove a value.
pub fn remove(key: &str) {
    host::remove(key);
}

/// Add to a number (0 when absent) and return the sum. `ttl_ms` counts from the
/// first addition.
pub fn add(key: &str, delta: i64, ttl_ms: u32) -> i64 {
    host::add(key, delta, ttl_ms)
}

/// Set `value` only if the present value equals `expected` (none: absent).
/// Returns whether it did.
pub fn compare_and_swap(key: &str, expected: Option<&[u8]>, value: &[u8], ttl_ms: u32) -> bool {
    host::compare_and_swap(key, expected, value, ttl_ms)
}

/// Take `count` tokens from a bucket that holds at most `burst` and gains
/// `per_second` a second; it starts full. A count of 0 takes none and tells how
/// many there are.
pub fn take(key: &str, count: u32, per_second: f64, burst: u32) -> Taken {
    host::take(key, count, per_second, burst)
}
