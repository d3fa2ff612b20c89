//! How far all measurements are, and how long the rest takes.

use std::time::{Duration, Instant};

use super::COUNTED;
use crate::bench::peers;

/// About what a proxy takes in a scenario before its runs.
const START_SECONDS: f64 = 2.0;

/// About what it takes to look at a proxy's syscalls and footprint.
const PART_SECONDS: [f64; 2] = [6.0, 70.0];

/// About what it takes to count a proxy's instructions in a scenario.
const COUNT_SECONDS: f64 = 40.0;

/// How far it is.
pub(super) struct Progress {
    began: Instant,
    /// Seconds that each step should take.
    steps: Vec<f64>,
    begun: usize,
}

impl Progress {
    /// Of so many scenarios, and of all else if it is done too.
    pub(super) fn of(comparison: &peers::Arguments, rows: usize, is_whole: bool) -> Self {
        let runs = comparison.duration().as_secs_f64() * comparison.rounds() as f64;
        let mut each = vec![runs + START_SECONDS; rows];
        if is_whole {
            each.extend(PART_SECONDS);
            each.extend([COUNT_SECONDS; COUNTED.len()]);
        }
        let peers = comparison.peers.len() as f64;
        Self {
            began: Instant::now(),
            steps: each.iter().map(|seconds| seconds * peers).collect(),
            begun: 0,
        }
    }

    /// Say what begins, and how long it is to the end.
    pub(super) fn begin(&mut self, name: &str) {
        let (done, rest) = self.steps.split_at(self.begun);
        let minutes = left(done, rest, self.began.elapsed()).as_secs_f64() / 60.0;
        self.begun += 1;
        let (step, steps) = (self.begun, self.steps.len());
        println!("\n{name}: {step} of {steps}, about {minutes:.0} minutes are left");
    }
}

/// What the rest takes, if it takes longer than it should as what is done did.
fn left(done: &[f64], rest: &[f64], took: Duration) -> Duration {
    let [done, rest] = [done, rest].map(|seconds| seconds.iter().sum::<f64>());
    let factor = if done > 0.0 {
        took.as_secs_f64() / done
    } else {
        1.0
    };
    Duration::from_secs_f64(rest * factor)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::left;

    #[test]
    fn what_is_left_takes_as_long_as_what_is_done() {
        let seconds = Duration::from_secs;
        assert_eq!(left(&[], &[10.0, 20.0], seconds(0)), seconds(30));
        assert_eq!(left(&[10.0], &[20.0], seconds(15)), seconds(30));
    }
}
