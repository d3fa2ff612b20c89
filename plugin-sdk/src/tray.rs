//! The tray: where the gateway lays what it only shows with a question, such as
//! the head of a request.
//!
//! The contract hands it over in blocks of the plugin's own, which are taken and
//! freed for every decision. What lies on the tray is nobody's to free.

use core::cell::UnsafeCell;
use core::mem;

/// Bytes of it: any usual head, and the loads of a thousand endpoints.
const SIZE: usize = 4096;

/// Exported by a name that stands for [`SIZE`], which cannot change without it.
#[cfg_attr(not(test), unsafe(export_name = "gatewright_tray_4096"))]
static TRAY: Tray = Tray(UnsafeCell::new([0; SIZE]));

/// Aligned for whatever is laid there.
#[repr(C, align(8))]
struct Tray(UnsafeCell<[u8; SIZE]>);

// SAFETY: a component's module is built without threads and never shares its
// memory, and only the gateway writes to it, between two calls.
unsafe impl Sync for Tray {}

/// Be done with what came with a question and begins at `at`: freed, unless it
/// was only shown.
#[inline]
pub fn put_away<T>(given: T, at: *const u8) {
    if is_on_tray(at) {
        mem::forget(given);
    }
}

#[inline]
fn is_on_tray(at: *const u8) -> bool {
    at.addr().wrapping_sub(TRAY.0.get().addr()) < SIZE
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::{SIZE, TRAY, put_away};

    struct Counted<'c>(&'c Cell<u32>);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn only_what_is_on_the_tray_is_not_freed() {
        let (freed, tray) = (Cell::new(0), TRAY.0.get().cast::<u8>().cast_const());
        for at in [tray, tray.wrapping_add(SIZE - 1)] {
            put_away(Counted(&freed), at);
        }
        assert_eq!(freed.get(), 0);
        for at in [tray.wrapping_sub(1), tray.wrapping_add(SIZE)] {
            put_away(Counted(&freed), at);
        }
        assert_eq!(freed.get(), 2);
    }
}
