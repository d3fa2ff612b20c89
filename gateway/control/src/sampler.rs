//! Looking at the figures once a second: what is only known by comparing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gatewright_model::counters::WorkerCounters;
use tokio::time::{Instant, MissedTickBehavior};

use crate::control::Control;

/// How often.
const PERIOD: Duration = Duration::from_secs(1);

/// Note the rate of requests, and look after the roster of servers, for ever.
pub(crate) async fn sample(control: Arc<Control>) {
    let mut snapshots = control.publisher.subscribe();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = (Instant::now(), requests(control.publisher.counters()));
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let now = (Instant::now(), requests(control.publisher.counters()));
                let rate = rate(last, now);
                control.rate.store(rate.to_bits(), Ordering::Relaxed);
                last = now;
            }
            changed = snapshots.changed() => if changed.is_err() { return },
        }
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        control.roster.look(&snapshot);
    }
}

fn requests(workers: &[WorkerCounters]) -> u64 {
    workers.iter().map(|worker| worker.requests.get()).sum()
}

/// Requests a second between two readings.
fn rate(last: (Instant, u64), now: (Instant, u64)) -> f64 {
    let seconds = now.0.duration_since(last.0).as_secs_f64();
    if seconds > 0.0 {
        now.1.wrapping_sub(last.1) as f64 / seconds
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_by_the_second_however_long_the_period_was() {
        let start = Instant::now();
        let later = start + Duration::from_millis(2500);
        assert!((rate((start, 100), (later, 600)) - 200.0).abs() < f64::EPSILON);
        assert_eq!(rate((start, 100), (start, 600)), 0.0);
    }
}
