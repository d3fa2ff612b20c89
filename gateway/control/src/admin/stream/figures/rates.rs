//! How fast counts go up, from one reading of all of them to the next.

use std::collections::HashMap;

use tokio::time::Instant;

/// Counts by name at the last reading and at this one.
#[derive(Debug, Default)]
pub(super) struct Rates {
    before: HashMap<String, u64>,
    now: HashMap<String, u64>,
    read: Option<Instant>,
    /// From the last reading to this one, in seconds.
    period: Option<f64>,
}

impl Rates {
    /// Begin another reading.
    pub(super) fn turn(&mut self, now: Instant) {
        let last = self.read.replace(now);
        self.period = last.map(|last| now.duration_since(last).as_secs_f64());
        self.before = std::mem::take(&mut self.now);
    }

    /// How fast a count goes up that stands at `count` now, by the second;
    /// none when it was not read before.
    pub(super) fn of(&mut self, name: String, count: u64) -> Option<f64> {
        let before = self.before.get(&name).copied();
        self.now.insert(name, count);
        let period = self.period.filter(|period| *period > 0.0)?;
        // A count that begins anew, as a replaced plugin's, is not negative.
        Some(count.saturating_sub(before?) as f64 / period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_rate_takes_two_readings() {
        let began = Instant::now();
        let mut rates = Rates::default();
        let mut at = |seconds, count| {
            rates.turn(began + Duration::from_secs(seconds));
            rates.of("a".to_owned(), count)
        };
        assert_eq!(at(0, 10), None);
        assert_eq!(at(2, 30), Some(10.0));
        assert_eq!(at(3, 5), Some(0.0));
        rates.turn(began + Duration::from_secs(4));
        assert_eq!(rates.of("b".to_owned(), 7), None);
        rates.turn(began + Duration::from_secs(5));
        assert_eq!(rates.of("a".to_owned(), 7), None);
    }
}
