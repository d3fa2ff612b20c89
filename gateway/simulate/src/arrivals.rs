//! When requests come.

use std::f64::consts::TAU;
use std::path::Path;

use fastrand::Rng;

use crate::error::SimulationError;
use crate::files::{self, Recorded};
use crate::random::{Purpose, exponential, stream};
use crate::scenario::Arrivals;

/// A request's coming: when, and what a recording knows of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Coming {
    pub(crate) at_ns: u64,
    pub(crate) client: Option<u32>,
    pub(crate) work_ns: Option<u64>,
}

impl Coming {
    fn at(seconds: f64) -> Self {
        Self {
            at_ns: (seconds * 1e9) as u64,
            client: None,
            work_ns: None,
        }
    }
}

/// The times at which requests come, one after the other.
#[derive(Debug)]
pub(crate) struct Times {
    of: Of,
    random: Rng,
    /// The last time, in seconds.
    now: f64,
    number: usize,
}

#[derive(Debug)]
enum Of {
    Rate(Arrivals),
    /// The requests, and how many times as fast they are played.
    Recorded(Vec<Recorded>, f64),
}

impl Times {
    /// What a scenario says, with the file that it may name.
    pub(crate) fn of(
        arrivals: &Arrivals,
        folder: &Path,
        seed: u64,
    ) -> Result<Self, SimulationError> {
        let of = match arrivals {
            Arrivals::Trace { file, speed } => {
                let mut times = files::numbers(&folder.join(file))?;
                times.sort_by(f64::total_cmp);
                let recorded = |at: f64| Recorded {
                    at,
                    client: None,
                    work_ms: None,
                };
                Of::Recorded(times.into_iter().map(recorded).collect(), *speed)
            }
            Arrivals::Recording { file, speed } => {
                Of::Recorded(files::recording(&folder.join(file))?, *speed)
            }
            rate => Of::Rate(rate.clone()),
        };
        Ok(Self {
            of,
            random: stream(seed, Purpose::Arrivals),
            now: 0.0,
            number: 0,
        })
    }

    /// The next one; none at the end of a recording.
    pub(crate) fn next(&mut self) -> Option<Coming> {
        self.number += 1;
        match &self.of {
            Of::Recorded(recorded, speed) => {
                let one = recorded.get(self.number - 1)?;
                // A recording begins with its first request.
                let since = one.at - recorded[0].at;
                let work = one.work_ms.map(|ms| ((ms * 1e6) as u64).max(1));
                Some(Coming {
                    client: one.client,
                    work_ns: work,
                    ..Coming::at(since / speed)
                })
            }
            Of::Rate(Arrivals::Constant { rate }) => Some(Coming::at(self.number as f64 / rate)),
            Of::Rate(arrivals) => {
                self.now = by_chance(arrivals, self.now, &mut self.random);
                Some(Coming::at(self.now))
            }
        }
    }
}

/// The next time of a Poisson process whose rate changes: candidates come at its
/// highest rate and are taken by chance (thinning; P. Lewis and G. Shedler, 1979).
fn by_chance(arrivals: &Arrivals, after: f64, random: &mut Rng) -> f64 {
    let highest = highest(arrivals);
    let mut now = after;
    loop {
        now += exponential(random, 1.0 / highest);
        let rate = rate_at(arrivals, now);
        if rate >= highest || random.f64() * highest < rate {
            return now;
        }
    }
}

fn highest(arrivals: &Arrivals) -> f64 {
    match arrivals {
        Arrivals::Ramp { from, to, .. } => from.max(*to),
        Arrivals::Bursts { rate, rest, .. } => rate.max(*rest),
        Arrivals::Diurnal { rate, swing, .. } => rate * (1.0 + swing),
        Arrivals::Poisson { rate } | Arrivals::Constant { rate } => *rate,
        Arrivals::Trace { speed, .. } | Arrivals::Recording { speed, .. } => *speed,
    }
}

/// The rate at a time, in requests a second.
fn rate_at(arrivals: &Arrivals, now: f64) -> f64 {
    match arrivals {
        Arrivals::Ramp { from, to, over } => {
            let part = (now / over.0.as_secs_f64()).min(1.0);
            from + (to - from) * part
        }
        Arrivals::Bursts {
            rate,
            rest,
            on,
            off,
        } => {
            let (on, off) = (on.0.as_secs_f64(), off.0.as_secs_f64());
            match libm::fmod(now, on + off) < on {
                true => *rate,
                false => *rest,
            }
        }
        Arrivals::Diurnal {
            rate,
            swing,
            period,
        } => {
            let part = now / period.0.as_secs_f64();
            rate * (1.0 + swing * libm::sin(TAU * part))
        }
        steady => highest(steady),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::config::Period;

    /// How many come in each of so many seconds.
    fn by_second(arrivals: &Arrivals, seconds: usize) -> Vec<usize> {
        let mut times = Times::of(arrivals, Path::new(""), 1).unwrap();
        let mut counts = vec![0; seconds];
        while let Some(coming) = times.next() {
            match counts.get_mut((coming.at_ns / 1_000_000_000) as usize) {
                Some(count) => *count += 1,
                None => break,
            }
        }
        counts
    }

    #[test]
    fn rates_are_those_that_were_asked_for() {
        let poisson = by_second(&Arrivals::Poisson { rate: 5000.0 }, 10);
        let total: usize = poisson.iter().sum();
        assert!((49_000..51_000).contains(&total), "{total}");
        // A Poisson process varies as much as its mean says, a constant one not.
        assert!(poisson.iter().any(|count| *count != 5000));
        let constant = by_second(&Arrivals::Constant { rate: 100.0 }, 10);
        assert!(constant.iter().all(|count| (99..=100).contains(count)));
    }

    #[test]
    fn a_ramp_goes_up_and_stays() {
        let ramp = Arrivals::Ramp {
            from: 1000.0,
            to: 5000.0,
            over: Period::s(4),
        };
        let counts = by_second(&ramp, 6);
        for (count, expected) in counts.iter().zip([1500, 2500, 3500, 4500, 5000, 5000]) {
            assert!(count.abs_diff(expected) < 250, "{counts:?}");
        }
    }

    #[test]
    fn bursts_come_and_go() {
        let bursts = Arrivals::Bursts {
            rate: 4000.0,
            rest: 0.0,
            on: Period::s(1),
            off: Period::s(2),
        };
        let counts = by_second(&bursts, 6);
        assert!(counts[0] > 3700 && counts[3] > 3700, "{counts:?}");
        assert_eq!(counts[1] + counts[2] + counts[4] + counts[5], 0);
    }

    #[test]
    fn a_day_has_a_morning_and_a_night() {
        let day = Arrivals::Diurnal {
            rate: 2000.0,
            swing: 0.5,
            period: Period::s(4),
        };
        let counts = by_second(&day, 4);
        assert!(counts[0].min(counts[1]) > 2300, "{counts:?}");
        assert!(counts[2].max(counts[3]) < 1700, "{counts:?}");
    }
}
