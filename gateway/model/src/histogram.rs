//! A histogram of durations that one thread writes with plain stores and any
//! thread may read.
//!
//! Log-linear buckets as in HdrHistogram: eight to each power of two, so a
//! reading is within 6.25 % of what was recorded. One µs to about 67 s; longer
//! durations count as the longest.

use std::sync::atomic::{AtomicU32, Ordering};

const SUB_BITS: u32 = 3;
const SUBS: usize = 1 << SUB_BITS;
const OCTAVES: usize = 24;
const BUCKETS: usize = SUBS * OCTAVES;

/// The buckets. A count wraps after four billion; readers subtract modulo 2³².
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU32; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU32::new(0) }; BUCKETS],
        }
    }
}

impl Histogram {
    /// Count one duration, in microseconds. Only the owning thread may call it.
    pub fn record(&self, micros: u32) {
        let bucket = &self.buckets[bucket_of(micros)];
        let count = bucket.load(Ordering::Relaxed);
        bucket.store(count.wrapping_add(1), Ordering::Relaxed);
    }

    /// Add these counts to a reading.
    pub fn add_to(&self, reading: &mut Reading) {
        for (sum, bucket) in reading.counts.iter_mut().zip(&self.buckets) {
            *sum = sum.wrapping_add(bucket.load(Ordering::Relaxed));
        }
    }
}

/// The counts of one or several histograms at a moment.
#[derive(Clone, Debug)]
pub struct Reading {
    counts: Vec<u32>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
        }
    }
}

impl Reading {
    /// What was recorded since an earlier reading of the same histograms.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.counts.iter().zip(&earlier.counts);
        Self {
            counts: counts.map(|(now, then)| now.wrapping_sub(*then)).collect(),
        }
    }

    /// Add another reading to this one.
    pub fn merge(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum = sum.wrapping_add(*count);
        }
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The duration in microseconds that a share `quantile` (0 to 1) of the
    /// recorded ones did not exceed: the middle of its bucket. None when empty.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let rank = ((quantile.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(middle(bucket));
            }
        }
        None
    }

    /// The sum of what was recorded, taking each duration as the middle of its
    /// bucket: within 6.25 %.
    pub fn sum(&self) -> f64 {
        let counts = self.counts.iter().enumerate();
        // Not `sum`, whose zero is negative.
        counts.fold(0.0, |sum, (bucket, count)| {
            sum + middle(bucket) * f64::from(*count)
        })
    }

    /// The mean of what was recorded, by [`Self::sum`]. None when empty.
    pub fn mean(&self) -> Option<f64> {
        match self.count() {
            0 => None,
            count => Some(self.sum() / count as f64),
        }
    }

    /// Each non-empty bucket as its upper bound in microseconds and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let counts = self.counts.iter().enumerate();
        counts
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, count)| (bounds(bucket).1, *count))
    }
}

fn bucket_of(micros: u32) -> usize {
    let value = micros.max(1);
    if value < SUBS as u32 {
        return value as usize;
    }
    let octave = value.ilog2() - SUB_BITS;
    let sub = (value >> octave) as usize & (SUBS - 1);
    ((octave as usize + 1) * SUBS + sub).min(BUCKETS - 1)
}

/// The lowest and highest value that a bucket counts.
fn bounds(bucket: usize) -> (u32, u32) {
    if bucket < SUBS {
        return (bucket as u32, bucket as u32);
    }
    let octave = bucket / SUBS - 1;
    let low = ((SUBS + bucket % SUBS) as u32) << octave;
    (low, low + (1 << octave) - 1)
}

/// What a duration in a bucket is taken for.
fn middle(bucket: usize) -> f64 {
    let (low, high) = bounds(bucket);
    (f64::from(low) + f64::from(high)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_value_lies_within_its_buckets_bounds(micros in 1u32..60_000_000) {
            let (low, high) = bounds(bucket_of(micros));
            prop_assert!(low <= micros && micros <= high);
            prop_assert!(f64::from(high - low) <= 0.125 * f64::from(low.max(1)));
        }
    }

    #[test]
    fn quantiles_are_near_what_was_recorded() {
        let histogram = Histogram::default();
        (1..=1000).for_each(|micros| histogram.record(micros));
        let mut reading = Reading::default();
        histogram.add_to(&mut reading);
        assert_eq!(reading.count(), 1000);
        let median = reading.quantile(0.5).unwrap();
        assert!((median - 500.0).abs() < 500.0 * 0.0625, "{median}");
        assert!(Reading::default().quantile(0.5).is_none());
    }

    #[test]
    fn the_mean_is_near_that_of_what_was_recorded() {
        let histogram = Histogram::default();
        (1..=10_000).for_each(|micros| histogram.record(micros));
        let mut reading = Reading::default();
        histogram.add_to(&mut reading);
        let mean = reading.mean().unwrap();
        assert!((mean - 5_000.5).abs() < 5_000.5 * 0.0625, "{mean}");
        assert!(Reading::default().mean().is_none());
        assert!(Reading::default().sum().is_sign_positive());
    }

    #[test]
    fn a_reading_since_an_earlier_one_holds_only_what_is_new() {
        let histogram = Histogram::default();
        histogram.record(10);
        let mut earlier = Reading::default();
        histogram.add_to(&mut earlier);
        histogram.record(1_000_000);
        let mut now = Reading::default();
        histogram.add_to(&mut now);
        let news = now.since(&earlier);
        assert_eq!(news.count(), 1);
        assert!(news.quantile(1.0).unwrap() > 900_000.0);
    }

    #[test]
    fn longer_than_the_range_counts_as_the_longest() {
        assert_eq!(bucket_of(u32::MAX), BUCKETS - 1);
    }
}
