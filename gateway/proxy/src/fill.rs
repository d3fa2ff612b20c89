//! Putting values where there are some that own nothing.

use std::mem;

/// Put a value in the place of one that owns nothing, as an empty map does: dropping
/// that would be work, too.
pub(crate) fn fill<T>(place: &mut T, value: T) {
    mem::forget(mem::replace(place, value));
}
