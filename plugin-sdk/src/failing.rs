//! How much of what an endpoint is asked it fails at.

use crate::latencies::at_most;

/// The share of an endpoint's latest attempts that failed, and of how many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failing {
    share: f64,
    /// Up to [`LATEST`], with [`CREDIT`] beside them.
    attempts: f64,
    /// When the last one was told.
    pub(crate) at: u64,
}

/// Of how many attempts the share is: older ones count less and less.
const LATEST: f64 = 50.0;

/// Attempts that an endpoint is taken to have passed before the first one, so
/// that a single failure does not condemn it.
const CREDIT: f64 = 10.0;

impl Failing {
    /// What a predecessor knew.
    pub(crate) const fn known(share: f64, attempts: f64, at: u64) -> Self {
        Self {
            share,
            attempts,
            at,
        }
    }

    /// Whether these figures can be a predecessor's.
    pub(crate) fn is_possible(share: f64, attempts: f64) -> bool {
        (0.0..=1.0).contains(&share) && (0.0..=LATEST).contains(&attempts)
    }

    /// Whether no failure is remembered.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.share == 0.0
    }

    /// The share of which so much weight is left.
    #[inline]
    pub(crate) fn share(&self, kept: f64) -> f64 {
        self.share * kept
    }

    /// Of how many attempts it is.
    pub(crate) fn attempts(&self) -> f64 {
        self.attempts
    }

    /// One more was told, when so much weight was left of the others.
    pub(crate) fn attempted(&mut self, has_failed: bool, kept: f64, now: u64) {
        let share = self.share(kept);
        self.attempts = at_most(LATEST, self.attempts * kept + 1.0);
        self.at = now;
        let this = if has_failed { 1.0 } else { 0.0 };
        // Nothing comes of a success after others, and nothing is divided for it.
        self.share = if this == share {
            share
        } else {
            share + (this - share) / at_most(LATEST, self.attempts + CREDIT)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::Failing;

    /// The share after these attempts, told together.
    fn after(attempts: impl IntoIterator<Item = bool>) -> f64 {
        let mut failing = Failing::default();
        for has_failed in attempts {
            failing.attempted(has_failed, 1.0, 0);
        }
        failing.share(1.0)
    }

    #[test]
    fn the_share_is_that_of_the_latest_attempts() {
        assert_eq!(after([false; 100]), 0.0);
        let half = after((0..400).map(|attempt| attempt % 2 == 0));
        assert!((half - 0.5).abs() < 0.02, "{half}");
        let all = after([true; 400]);
        assert!(all > 0.99, "{all}");
    }

    #[test]
    fn one_failure_condemns_nobody_and_some_in_a_row_tell() {
        assert!(after([true]) < 0.1);
        let good = core::iter::repeat_n(false, 1_000);
        let ten = after(good.chain([true; 10]));
        assert!((0.15..0.25).contains(&ten), "{ten}");
    }

    #[test]
    fn what_was_long_ago_counts_for_little() {
        let mut failing = Failing::default();
        for _ in 0..100 {
            failing.attempted(true, 1.0, 0);
        }
        assert!(failing.share(0.01) < 0.01);
        failing.attempted(false, 0.01, 9);
        assert!(failing.share(1.0) < 0.01 && failing.attempts() < 2.0);
    }
}
