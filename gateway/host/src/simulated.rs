//! Time and randomness that are not the machine's: a simulation hands them in,
//! so that plugins live through minutes in a moment, and the same way each time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::spread::Spread;

/// 2026-01-01T00:00:00Z, at which every simulation begins.
const BEGINNING_UNIX_MS: u64 = 1_767_225_600_000;

/// Time and randomness of a simulation. One thread drives it, and makes all
/// decisions of its host.
#[derive(Debug)]
pub struct Simulated {
    now_ns: AtomicU64,
    seed: u64,
    drawn: AtomicU64,
}

impl Simulated {
    /// A clock that stands at zero, and the seed of all that plugins draw.
    pub fn new(seed: u64) -> Self {
        Self {
            now_ns: AtomicU64::new(0),
            seed,
            drawn: AtomicU64::new(0),
        }
    }

    /// Set the clock, in nanoseconds since the beginning. It is never to go back.
    pub fn advance(&self, now_ns: u64) {
        self.now_ns.store(now_ns, Ordering::Relaxed);
    }

    /// How long the simulation has been running.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_nanos(self.now_ns.load(Ordering::Relaxed))
    }

    /// The same in milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        BEGINNING_UNIX_MS + self.now().as_millis() as u64
    }

    /// What spreads the keys of its tables: what a full one forgets is the same
    /// each time.
    pub(crate) fn spread(&self) -> Spread {
        Spread::Seeded(self.seed)
    }

    /// The generator of the next instance: the first instance of two simulations
    /// with one seed has the same, and so on.
    pub(crate) fn generator(&self) -> fastrand::Rng {
        let instance = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut seeds = fastrand::Rng::with_seed(self.seed);
        fastrand::Rng::with_seed(seeds.u64(..) ^ instance.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_each_instance_the_same_randomness() {
        let draws = |seed| {
            let simulated = Simulated::new(seed);
            [0, 1, 2].map(|_| simulated.generator().u64(..))
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        let [a, b, c] = draws(1);
        assert!(a != b && b != c && a != c);
    }

    #[test]
    fn the_clock_stands_where_it_is_set() {
        let simulated = Simulated::new(0);
        let before = simulated.unix_ms();
        simulated.advance(3_000_000);
        assert_eq!(simulated.now(), Duration::from_millis(3));
        assert_eq!(simulated.unix_ms(), before + 3);
    }
}
