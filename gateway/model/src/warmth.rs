//! Slow start: how much of its share of the requests an endpoint takes that was
//! added or has recovered a moment ago.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::pool::PoolState;

/// What a warming endpoint begins with, in percent of its share.
const LEAST: u8 = 10;

/// All of its share, in percent.
const ALL: u8 = 100;

/// How much of its share an endpoint takes. One thread sets it, all read it.
#[derive(Debug)]
pub struct Warmth {
    pool: Arc<PoolState>,
    percent: AtomicU8,
}

impl Warmth {
    /// An endpoint that takes all of its share.
    pub(crate) fn new(pool: &Arc<PoolState>) -> Self {
        Self {
            pool: Arc::clone(pool),
            percent: AtomicU8::new(ALL),
        }
    }

    /// Percent of its share that it takes: 10 to 100.
    pub fn percent(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Whether it takes less than its share.
    pub fn is_warming(&self) -> bool {
        self.percent() < ALL
    }

    /// It takes the least share from now on.
    pub fn begin(&self) {
        self.set(LEAST);
    }

    /// It has been warming for so long, of so long in all; whether it still does.
    pub fn rise(&self, elapsed: Duration, over: Duration) -> bool {
        let part = elapsed.as_secs_f64() / over.as_secs_f64().max(f64::MIN_POSITIVE);
        let percent = f64::from(LEAST) + f64::from(ALL - LEAST) * part.min(1.0);
        self.set(percent as u8);
        self.is_warming()
    }

    /// It takes all of its share.
    pub fn finish(&self) {
        self.set(ALL);
    }

    fn set(&self, percent: u8) {
        let before = self.percent.swap(percent, Ordering::Relaxed);
        match (before < ALL, percent < ALL) {
            (false, true) => self.pool.warming.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.pool.warming.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

impl Drop for Warmth {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_evenly_from_a_tenth_to_all() {
        let pool = Arc::<PoolState>::default();
        let warmth = Warmth::new(&pool);
        let shares: Vec<_> = [0, 10, 15, 30, 40]
            .map(|seconds| {
                let elapsed = Duration::from_secs(seconds);
                (
                    warmth.rise(elapsed, Duration::from_secs(30)),
                    warmth.percent(),
                )
            })
            .into();
        let expected = [
            (true, 10),
            (true, 40),
            (true, 55),
            (false, 100),
            (false, 100),
        ];
        assert_eq!(shares, expected);
    }

    #[test]
    fn a_pool_counts_who_is_warming() {
        let pool = Arc::<PoolState>::default();
        let [a, b] = [Warmth::new(&pool), Warmth::new(&pool)];
        assert!(!pool.is_warming());
        a.rise(Duration::ZERO, Duration::from_secs(1));
        b.rise(Duration::ZERO, Duration::from_secs(1));
        a.finish();
        assert!(pool.is_warming());
        drop(b);
        assert!(!pool.is_warming());
    }
}
