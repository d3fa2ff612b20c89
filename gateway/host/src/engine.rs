//! The one Wasm engine that decisions run on, and the compile child's twin of
//! it: both must be configured alike, or compiled code is refused.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;

use rustix::process::{Resource, getrlimit};
use wasmtime::{Config, Engine};

use crate::direct::recognise;

/// Address space that a linear memory reserves: all that its addresses reach, so
/// that compiled code need not compare each of them with the memory's size, which
/// is a seventh of what it does. It is not memory, and ten thousand instances fit
/// in what a process has of it.
const MEMORY_RESERVATION: u64 = 4 << 30;

/// The same where the process may not have all the address space: small, so that
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
    engine_within(getrlimit(Resource::As).current)
}

fn engine_within(address_space: Option<u64>) -> wasmtime::Result<Engine> {
    let reservation = match address_space {
        None => MEMORY_RESERVATION,
        Some(_) => SMALL_MEMORY_RESERVATION,
    };
    let mut config = Config::new();
    config
        // Async support in the component model triples the price of a call.
        .concurrency_support(false)
        .epoch_interruption(true)
        .memory_reservation(reservation)
        .memory_reservation_for_growth(SMALL_MEMORY_RESERVATION)
        .memory_guaranteed_dense_image_size(SPARSE_IMAGE)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES));
    Engine::new(&config)
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
        let [all, limited] = [None, Some(8 << 30)].map(|limit| engine_within(limit).unwrap());
        assert_ne!(fingerprint(&all), fingerprint(&limited));
    }

    #[test]
    fn another_recogniser_has_another_fingerprint() {
        let engine = engine().unwrap();
        let other = fingerprint_with(&engine, recognise::VERSION + 1);
        assert_ne!(fingerprint(&engine), other);
    }
}
