//! The one Wasm engine that decisions run on, and the compile child's twin of
//! it: both must be configured alike, or compiled code is refused.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;

use rustix::process::{Resource, getrlimit};
use wasmtime::{Config, Engine, Memory, MemoryType, Store};

use crate::direct::recognise;

/// Address space that a linear memory reserves: all that its addresses reach, so
/// that compiled code need not compare each of them with the memory's size, which
/// is a seventh of what it does. It is not memory, and ten thousand instances fit
/// in what a process usually has of it.
const MEMORY_RESERVATION: u64 = 4 << 30;

/// What a process must have of it for that: enough for a thousand instances. Where
/// addresses have 39 bits, as on some processors, it has an eighth of that or less.
const ALL_RESERVATIONS: u64 = 1024 * MEMORY_RESERVATION;

/// The same where the process does not have so much, or may not: small, so that
/// a thousand instances fit. Beyond it, a memory may have to move.
const SMALL_MEMORY_RESERVATION: u64 = 16 << 20;

/// Bytes of a memory's image that are laid out whatever the module holds of
/// them: none, or one byte at each end of the allowed would make megabytes of a
/// module of fifty bytes. Beyond that, half of an image is in the module.
const SPARSE_IMAGE: u64 = 0;

/// Frames of a trap's backtrace: a panic in Rust fills eight of them before the
/// plugin's own come.
const BACKTRACE_FRAMES: usize = 20;

/// An engine for decisions.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let is_limited = getrlimit(Resource::As).current.is_some();
    Engine::new(&config(reservation(is_limited, ALL_RESERVATIONS)))
}

fn config(reservation: u64) -> Config {
    let mut config = Config::new();
    config
        // Async support in the component model triples the price of a call.
        .concurrency_support(false)
        .epoch_interruption(true)
        .memory_reservation(reservation)
        .memory_reservation_for_growth(SMALL_MEMORY_RESERVATION)
        .memory_guaranteed_dense_image_size(SPARSE_IMAGE)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES));
    config
}

/// What a memory reserves in a process that may be limited, and else needs so much
/// for all of them. The compile child finds what its parent has found.
fn reservation(is_limited: bool, all: u64) -> u64 {
    match !is_limited && can_reserve(all) {
        true => MEMORY_RESERVATION,
        false => SMALL_MEMORY_RESERVATION,
    }
}

/// Whether so much address space can be had: by one memory that reserves it all, and
/// gives it back at once.
fn can_reserve(bytes: u64) -> bool {
    let memory = Engine::new(&config(bytes)).and_then(|engine| {
        let mut store = Store::new(&engine, ());
        Memory::new(&mut store, MemoryType::new(0, Some(0)))
    });
    memory.is_ok()
}

/// What compiled code must have been compiled for and by to run on this engine:
/// runtime version, processor, settings and recogniser as one number.
///
/// Code tells what was recognised when it was made. Recognising again when it
/// is loaded would be no simpler: the other verdict may need code that is not
/// there, and a stranger's component would have the gateway's own time for it
/// instead of a child's.
pub(crate) fn fingerprint(engine: &Engine) -> u64 {
    fingerprint_with(engine, recognise::VERSION)
}

fn fingerprint_with(engine: &Engine, recogniser: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    recogniser.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_engines_of_one_build_run_each_others_code() {
        let one = engine().unwrap();
        let other = engine().unwrap();
        assert_eq!(fingerprint(&one), fingerprint(&other));
    }

    #[test]
    fn where_address_space_is_limited_other_code_is_run() {
        let [all, limited] = [false, true].map(|is_limited| {
            let reservation = reservation(is_limited, 1 << 20);
            Engine::new(&config(reservation)).unwrap()
        });
        assert_ne!(fingerprint(&all), fingerprint(&limited));
    }

    #[test]
    fn where_there_is_little_address_space_little_is_reserved() {
        assert_eq!(reservation(false, 1 << 20), MEMORY_RESERVATION);
        assert_eq!(reservation(false, 1 << 60), SMALL_MEMORY_RESERVATION);
        assert_eq!(reservation(true, 1 << 20), SMALL_MEMORY_RESERVATION);
    }

    #[test]
    fn another_recogniser_has_another_fingerprint() {
        let engine = engine().unwrap();
        let other = fingerprint_with(&engine, recognise::VERSION + 1);
        assert_ne!(fingerprint(&engine), other);
    }
}
