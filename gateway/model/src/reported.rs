//! What a server says itself of how busy it is.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The figures of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// Requests in flight on the server, whoever sent them.
    pub in_flight: u32,
    /// How long it takes to answer one now, in microseconds.
    pub latency_us: u32,
}

/// A server's last report: one thread writes it, all read it, and nobody waits.
#[derive(Debug, Default)]
pub struct Reported {
    /// Both figures, so that they are of one report.
    figures: AtomicU64,
    /// Milliseconds of its clock when it came, counted from 1; 0 before the first.
    came_at: AtomicU64,
}

/// What reports' times count from on the machine's clock.
pub(crate) static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Reported {
    /// Note a report that has just come.
    pub fn note(&self, report: LoadReport) {
        self.note_at(report, BEGINNING.elapsed());
    }

    /// Note a report that came at a moment of another clock than the machine's,
    /// which [`Self::last_at`] is then to be asked by.
    pub fn note_at(&self, report: LoadReport, at: Duration) {
        let figures = (u64::from(report.in_flight) << 32) | u64::from(report.latency_us);
        self.figures.store(figures, Ordering::Relaxed);
        self.came_at.store(never_zero(at), Ordering::Release);
    }

    /// The last report and its age; none before the first.
    pub fn last(&self) -> Option<(LoadReport, Duration)> {
        // Where nobody reports, the clock is not asked: decisions ask often.
        let is_there = self.came_at.load(Ordering::Relaxed) != 0;
        is_there.then(|| self.last_at(BEGINNING.elapsed()))?
    }

    /// The same at a moment of the clock by which it was noted.
    pub fn last_at(&self, now: Duration) -> Option<(LoadReport, Duration)> {
        let came_at = match self.came_at.load(Ordering::Acquire) {
            0 => return None,
            came_at => came_at,
        };
        let figures = self.figures.load(Ordering::Relaxed);
        let report = LoadReport {
            in_flight: (figures >> 32) as u32,
            latency_us: figures as u32,
        };
        let age = never_zero(now).saturating_sub(came_at);
        Some((report, Duration::from_millis(age)))
    }

    /// Forget it: nobody asks any more.
    pub fn forget(&self) {
        self.came_at.store(0, Ordering::Release);
    }
}

/// Milliseconds of a time, counted from 1.
pub(crate) fn never_zero(time: Duration) -> u64 {
    time.as_millis() as u64 + 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LoadReport, Reported};

    #[test]
    fn on_a_clock_of_its_own_a_report_is_as_old_as_that_clock_says() {
        let (reported, ms) = (Reported::default(), Duration::from_millis);
        let report = LoadReport {
            in_flight: 3,
            latency_us: 700,
        };
        reported.note_at(report, ms(0));
        assert_eq!(reported.last_at(ms(0)), Some((report, ms(0))));
        assert_eq!(reported.last_at(ms(90)), Some((report, ms(90))));
    }

    #[test]
    fn the_last_report_counts_until_it_is_forgotten() {
        let reported = Reported::default();
        assert_eq!(reported.last(), None);
        for in_flight in [7, u32::MAX] {
            let report = LoadReport {
                in_flight,
                latency_us: u32::MAX - 1,
            };
            reported.note(report);
            assert_eq!(reported.last().map(|(report, _)| report), Some(report));
        }
        reported.forget();
        assert_eq!(reported.last(), None);
    }
}
