//! How many of a histogram's durations lie between the rungs of a ladder.

use gatewright_model::histogram::Reading;

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

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::histogram::Histogram;

    #[test]
    fn each_rung_counts_exactly_what_lies_between() {
        let histogram = Histogram::default();
        for one in [1, 255, 256, 257, 511, 512, 5_000_000] {
            histogram.record(one);
        }
        let mut reading = Reading::default();
        histogram.add_to(&mut reading);
        assert_eq!(ladder(&reading, 8, 10), [(256, 2), (512, 3), (1024, 1)]);
    }
}
