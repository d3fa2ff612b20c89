//! What a histogram's reading says of durations: their sum, their mean, and
//! how many there are between the rungs of a ladder.

use gatewright_model::histogram::Reading;

/// Buckets to each power of two, as the model's histogram has them.
const SUBS: u32 = 8;

/// The sum of what was recorded, taking each duration as the middle of its
/// bucket: within 6.25 %.
pub(crate) fn sum(reading: &Reading) -> f64 {
    let buckets = reading.buckets();
    // Not `sum`, whose zero is negative.
    buckets.fold(0.0, |sum, (upper, count)| {
        sum + middle(upper) * f64::from(count)
    })
}

/// The mean of what was recorded; none when nothing was.
pub(crate) fn mean(reading: &Reading) -> Option<f64> {
    match reading.count() {
        0 => None,
        count => Some(sum(reading) / count as f64),
    }
}

/// How many durations lie between each power of two, from `2^lowest` to
/// `2^highest`, and the one before it; longer ones are in no rung. Exact, since
/// the histogram's own buckets end at powers of two.
pub(crate) fn ladder(reading: &Reading, lowest: u32, highest: u32) -> Vec<(u32, u64)> {
    let mut rungs: Vec<_> = (lowest..=highest).map(|power| (1 << power, 0)).collect();
    for (upper, count) in reading.buckets() {
        let rung = rungs.partition_point(|(bound, _)| *bound <= upper);
        if let Some((_, inside)) = rungs.get_mut(rung) {
            *inside += u64::from(count);
        }
    }
    rungs
}

/// The middle of the bucket that ends at `upper`.
fn middle(upper: u32) -> f64 {
    let width = match upper {
        upper if upper < SUBS => 1,
        upper => 1 << (upper.ilog2() - SUBS.ilog2()),
    };
    f64::from(upper) - f64::from(width - 1) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::histogram::Histogram;

    fn reading(recorded: impl IntoIterator<Item = u32>) -> Reading {
        let histogram = Histogram::default();
        recorded.into_iter().for_each(|one| histogram.record(one));
        let mut reading = Reading::default();
        histogram.add_to(&mut reading);
        reading
    }

    #[test]
    fn the_mean_is_near_what_was_recorded() {
        let recorded = reading(1..=10_000);
        let mean = mean(&recorded).unwrap();
        assert!((mean - 5_000.5).abs() < 5_000.5 * 0.0625, "{mean}");
        assert!(super::mean(&reading([])).is_none());
    }

    #[test]
    fn each_rung_counts_exactly_what_lies_between() {
        let recorded = reading([1, 255, 256, 257, 511, 512, 5_000_000]);
        assert_eq!(ladder(&recorded, 8, 10), [(256, 2), (512, 3), (1024, 1)]);
    }
}
