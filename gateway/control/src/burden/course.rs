//! One binding's counts over the last ten seconds, and what they come to.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Burden, Turn};

/// Looks that are kept. They come once a second, so the oldest and the newest
/// are ten seconds apart.
const LOOKS: usize = 11;

/// The look that parts the older half of them from the newer.
const MIDDLE: usize = LOOKS / 2;

/// What one worker has counted of a binding.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    /// Decisions that the plugin was asked for.
    pub(super) answered: u64,
    /// How many of them were timed.
    pub(super) samples: u64,
    /// What those took together, in nanoseconds.
    pub(super) sampled_ns: u64,
}

/// What all workers had counted at a moment.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) accounts: Box<[Account]>,
    /// Decisions that the limit gave to the fallback.
    pub(super) capped: u64,
}

/// The looks at one binding, oldest first, and what has been said of them.
#[derive(Debug, Default)]
pub(super) struct Course {
    looks: VecDeque<Look>,
    heavy: bool,
    capping: bool,
}

impl Course {
    /// Add a look; what begins or ends with it.
    ///
    /// It is heavy when the share of the busiest worker's time was over the
    /// alarm in the older half of the ten seconds and in the newer, and until it
    /// was within it in both: no single slow decision, which stands for 64,
    /// makes an alarm or ends one.
    pub(super) fn take_in(&mut self, look: Look, alarm: u8) -> Vec<Turn> {
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(look);
        self.weigh(alarm)
            .into_iter()
            .chain(self.count_capped())
            .collect()
    }

    /// The binding is in force no more: end what has begun.
    pub(super) fn end(&mut self, alarm: u8) -> Vec<Turn> {
        let eased = Turn::Eased {
            percent: 0.0,
            alarm,
        };
        let heavy = std::mem::take(&mut self.heavy).then_some(eased);
        let capped = std::mem::take(&mut self.capping).then_some(Turn::Uncapped);
        heavy.into_iter().chain(capped).collect()
    }

    /// What it has taken in the time of the looks; none before there are two.
    pub(super) fn burden(&self) -> Option<Burden> {
        let (first, last) = (self.looks.front()?, self.looks.back()?);
        let shares = shares(first, last)?;
        let workers = shares.len().max(1) as f64;
        Some(Burden {
            percent: shares.iter().sum::<f64>() / workers,
            busiest: shares.into_iter().fold(0.0, f64::max),
            heavy: self.heavy,
            capping: self.capping,
        })
    }

    fn weigh(&mut self, alarm: u8) -> Option<Turn> {
        if self.looks.len() < LOOKS {
            return None;
        }
        let busiest = |from: usize, to: usize| {
            let shares = shares(self.looks.get(from)?, self.looks.get(to)?)?;
            Some(shares.into_iter().fold(0.0, f64::max))
        };
        let (older, newer) = (busiest(0, MIDDLE)?, busiest(MIDDLE, LOOKS - 1)?);
        let limit = f64::from(alarm);
        let is_over = match self.heavy {
            // At 100 there is no more that it could take.
            _ if alarm >= 100 => false,
            false => older > limit && newer > limit,
            true => older > limit || newer > limit,
        };
        if is_over == self.heavy {
            return None;
        }
        self.heavy = is_over;
        let percent = newer;
        Some(match is_over {
            true => Turn::Heavy { percent, alarm },
            false => Turn::Eased { percent, alarm },
        })
    }

    fn count_capped(&mut self) -> Option<Turn> {
        let (first, last) = (self.looks.front()?, self.looks.back()?);
        let is_capping = last.capped > first.capped;
        if is_capping == self.capping {
            return None;
        }
        self.capping = is_capping;
        Some(match is_capping {
            true => Turn::Capped,
            false => Turn::Uncapped,
        })
    }
}

/// What was taken of each worker's time between two looks, in percent; none
/// when no time has passed.
fn shares(first: &Look, last: &Look) -> Option<Vec<f64>> {
    let elapsed = last.at.saturating_duration_since(first.at);
    if elapsed == Duration::ZERO {
        return None;
    }
    let both = first.accounts.iter().zip(&last.accounts);
    let shares = both.map(|(first, last)| {
        let percent = 100.0 * taken_ns(first, last) / elapsed.as_nanos() as f64;
        percent.min(100.0)
    });
    Some(shares.collect())
}

/// The decisions of the time by what one of them takes: the mean of those that
/// were timed in it, or else of all that ever were.
fn taken_ns(first: &Account, last: &Account) -> f64 {
    let answered = last.answered.saturating_sub(first.answered);
    let (samples, sampled_ns) = match last.samples.saturating_sub(first.samples) {
        0 => (last.samples.max(1), last.sampled_ns),
        samples => (samples, last.sampled_ns.saturating_sub(first.sampled_ns)),
    };
    answered as f64 * sampled_ns as f64 / samples as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin on two workers, of which the second has nothing to do, looked
    /// at once a second.
    struct Watch {
        course: Course,
        last: Look,
        alarm: u8,
    }

    impl Watch {
        fn new() -> Self {
            let last = Look {
                at: Instant::now(),
                accounts: Box::new([Account::default(); 2]),
                capped: 0,
            };
            Self {
                course: Course::default(),
                last,
                alarm: 25,
            }
        }

        /// A second in which 640 decisions were asked for, which took so many
        /// microseconds each, and so many more were given to the fallback.
        fn second(&mut self, micros: u64, capped: u64) -> Vec<Turn> {
            self.last.at += Duration::from_secs(1);
            let account = &mut self.last.accounts[0];
            account.answered += 640;
            account.samples += 10;
            account.sampled_ns += 10 * micros * 1000;
            self.last.capped += capped;
            self.course.take_in(self.last.clone(), self.alarm)
        }

        fn seconds(&mut self, count: usize, micros: u64) -> Vec<Turn> {
            let turns = (0..count).flat_map(|_| self.second(micros, 0));
            turns.collect()
        }
    }

    #[test]
    fn what_was_timed_stands_for_what_was_not() {
        let mut watch = Watch::new();
        assert_eq!(watch.course.burden(), None);
        watch.seconds(5, 100);
        let burden = watch.course.burden().unwrap();
        assert!((burden.busiest - 6.4).abs() < 0.01, "{burden:?}");
        assert!((burden.percent - 3.2).abs() < 0.01, "{burden:?}");
    }

    #[test]
    fn seconds_without_a_sample_are_taken_to_be_like_the_others() {
        let mut watch = Watch::new();
        watch.seconds(LOOKS, 100);
        for _ in 0..LOOKS {
            watch.last.at += Duration::from_secs(1);
            watch.last.accounts[0].answered += 60;
            watch.course.take_in(watch.last.clone(), 25);
        }
        let burden = watch.course.burden().unwrap();
        assert!((burden.busiest - 0.6).abs() < 0.01, "{burden:?}");
    }

    #[test]
    fn what_takes_much_for_long_is_reported_once_and_once_when_it_is_over() {
        let mut watch = Watch::new();
        assert_eq!(watch.seconds(LOOKS, 100), []);
        assert_eq!(watch.seconds(5, 1000), []);
        let turns = watch.seconds(30, 1000);
        assert!(
            matches!(turns[..], [Turn::Heavy { percent, alarm: 25 }] if percent > 60.0),
            "{turns:?}"
        );
        assert!(watch.course.burden().unwrap().heavy);
        let turns = watch.seconds(30, 100);
        assert!(
            matches!(turns[..], [Turn::Eased { percent, alarm: 25 }] if percent < 7.0),
            "{turns:?}"
        );
        assert!(!watch.course.burden().unwrap().heavy);
    }

    #[test]
    fn one_slow_second_is_no_alarm() {
        let mut watch = Watch::new();
        watch.seconds(LOOKS, 100);
        assert_eq!(watch.second(20_000, 0), []);
        assert_eq!(watch.seconds(30, 100), []);
    }

    #[test]
    fn an_alarm_of_100_never_sounds() {
        let mut watch = Watch::new();
        watch.alarm = 100;
        assert_eq!(watch.seconds(30, 10_000), []);
    }

    #[test]
    fn a_limit_that_tells_is_reported_at_once_and_until_ten_seconds_without() {
        let mut watch = Watch::new();
        watch.seconds(3, 100);
        assert_eq!(watch.second(100, 5), [Turn::Capped]);
        assert_eq!(watch.second(100, 5), []);
        assert_eq!(watch.seconds(LOOKS - 2, 100), []);
        assert_eq!(watch.second(100, 0), [Turn::Uncapped]);
    }

    #[test]
    fn what_is_bound_no_more_takes_its_alarms_along() {
        let mut watch = Watch::new();
        watch.seconds(LOOKS, 1000);
        watch.second(1000, 1);
        let turns = watch.course.end(25);
        assert!(
            matches!(turns[..], [Turn::Eased { .. }, Turn::Uncapped]),
            "{turns:?}"
        );
        assert_eq!(watch.course.end(25), []);
    }
}
