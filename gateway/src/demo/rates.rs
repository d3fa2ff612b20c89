//! How fast counts go up: from one second to the next.

use std::collections::HashMap;
use std::time::Duration;

/// How long a rate is measured for.
const PERIOD: Duration = Duration::from_secs(1);

/// Counts by name, as they were when the present second began, and the rates
/// of the second before.
#[derive(Debug, Default)]
pub(super) struct Rates {
    began: Duration,
    counts: HashMap<String, u64>,
    rates: HashMap<String, f64>,
}

impl Rates {
    /// The rate of a count that stands at `count` when so much time has passed
    /// since the start: that of the last full second, or of the time until now
    /// when there was none yet.
    pub(super) fn of(&self, name: &str, count: u64, elapsed: Duration) -> f64 {
        match self.rates.get(name) {
            Some(rate) => *rate,
            None => self.since_last(name, count, elapsed),
        }
    }

    /// Begin another second, if one has passed, with these counts.
    pub(super) fn turn<'a>(
        &mut self,
        elapsed: Duration,
        counts: impl Iterator<Item = (&'a str, u64)>,
    ) {
        if elapsed < self.began + PERIOD {
            return;
        }
        let counts: HashMap<_, _> = counts
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        let rates = counts.iter().map(|(name, count)| {
            let rate = self.since_last(name, *count, elapsed);
            (name.clone(), rate)
        });
        self.rates = rates.collect();
        self.counts = counts;
        self.began = elapsed;
    }

    fn since_last(&self, name: &str, count: u64, elapsed: Duration) -> f64 {
        let before = self.counts.get(name).copied().unwrap_or_default();
        let seconds = elapsed.saturating_sub(self.began).as_secs_f64();
        match seconds > 0.0 {
            // A count that begins anew, as a replaced plugin's, is not negative.
            true => count.saturating_sub(before) as f64 / seconds,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_last_full_seconds() {
        let mut rates = Rates::default();
        let mut at = |millis, count| {
            let elapsed = Duration::from_millis(millis);
            rates.turn(elapsed, [("a", count)].into_iter());
            rates.of("a", count, elapsed).round()
        };
        let seen = [
            at(500, 50),
            at(1000, 200),
            at(1500, 1000),
            at(2000, 1000),
            at(3000, 1000),
        ];
        for (rate, expected) in seen.iter().zip([100.0, 200.0, 200.0, 800.0, 0.0]) {
            assert!((rate - expected).abs() < 0.1, "{seen:?}");
        }
    }

    #[test]
    fn a_count_that_begins_anew_has_no_negative_rate() {
        let mut rates = Rates::default();
        rates.turn(Duration::from_secs(1), [("a", 100)].into_iter());
        rates.turn(Duration::from_secs(2), [("a", 10)].into_iter());
        assert!(rates.of("a", 10, Duration::from_secs(2)).abs() < 0.1);
    }
}
