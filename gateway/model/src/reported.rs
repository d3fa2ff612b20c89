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
    /// Milliseconds since [`BEGINNING`] when it came; 0 before the first.
    came_at: AtomicU64,
}

/// What reports' times count from.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Reported {
    /// Note a report that has just come.
    pub fn note(&self, report: LoadReport) {
        let figures = (u64::from(report.in_flight) << 32) | u64::from(report.latency_us);
        self.figures.store(figures, Ordering::Relaxed);
        self.came_at.store(now_ms(), Ordering::Release);
    }

    /// The last report and its age; none before the first.
    pub fn last(&self) -> Option<(LoadReport, Duration)> {
        let came_at = match self.came_at.load(Ordering::Acquire) {
            0 => return None,
            came_at => came_at,
        };
        let figures = self.figures.load(Ordering::Relaxed);
        let report = LoadReport {
            in_flight: (figures >> 32) as u32,
            latency_us: figures as u32,
        };
        let age = now_ms().saturating_sub(came_at);
        Some((report, Duration::from_millis(age)))
    }

    /// Forget it: nobody asks any more.
    pub fn forget(&self) {
        self.came_at.store(0, Ordering::Release);
    }
}

/// Never 0.
fn now_ms() -> u64 {
    BEGINNING.elapsed().as_millis() as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::{LoadReport, Reported};

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
