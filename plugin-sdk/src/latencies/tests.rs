//! What estimates come to.

use std::vec;
use std::vec::Vec;

use super::{Latencies, Peaks};
use crate::testing::{endpoint, outcome};
use crate::{Ending, Generator, Outcome};

const SECOND: u64 = 1_000_000_000;

fn over(peaks: Peaks) -> Latencies {
    let mut latencies = Latencies::new(peaks, 10.0 * SECOND as f64, 5_000_000.0);
    latencies.update(&[endpoint(0, 1), endpoint(1, 1), endpoint(2, 1)]);
    latencies
}

fn answers(slot: u32, us: u32, count: usize) -> Vec<Outcome> {
    vec![outcome(slot, us); count]
}

fn refused(slot: u32) -> Outcome {
    Outcome {
        ending: Ending::ConnectFailed,
        status: 0,
        ..outcome(slot, 80)
    }
}

#[test]
fn a_slow_response_is_known_at_once_and_forgotten_slowly() {
    let mut latencies = over(Peaks::Jump);
    latencies.observe(&answers(0, 1_000, 1), SECOND);
    latencies.observe(&answers(0, 90_000, 1), 2 * SECOND);
    assert_eq!(latencies.us(0), 90_000.0);
    latencies.observe(&answers(0, 1_000, 1), 3 * SECOND);
    assert!((80_000.0..85_000.0).contains(&latencies.us(0)));
    for second in 4..60 {
        latencies.observe(&answers(0, 1_000, 1), second * SECOND);
    }
    assert!(latencies.us(0) < 2_000.0);
}

#[test]
fn where_peaks_are_averaged_one_slow_response_moves_little() {
    let mut latencies = over(Peaks::Average);
    latencies.observe(&answers(0, 1_000, 100), SECOND);
    latencies.observe(&answers(0, 90_000, 1), 2 * SECOND);
    assert!((8_000.0..11_000.0).contains(&latencies.us(0)));
}

#[test]
fn where_peaks_are_averaged_one_lucky_response_makes_nobody_the_quickest() {
    let mut latencies = over(Peaks::Average);
    latencies.observe(&answers(0, 10_000, 100), SECOND);
    latencies.observe(&answers(1, 100, 1), SECOND);
    assert!(latencies.us(1) > 7_000.0, "{}", latencies.us(1));
    latencies.observe(&answers(1, 100, 60), SECOND);
    assert!(latencies.us(1) < 1_500.0, "{}", latencies.us(1));
}

#[test]
fn who_has_not_answered_yet_is_as_slow_as_is_usual() {
    let mut latencies = over(Peaks::Jump);
    assert_eq!(latencies.us(2), 1.0);
    latencies.observe(&answers(0, 4_000, 5), SECOND);
    assert_eq!(latencies.us(2), 4_000.0);
    assert_eq!(latencies.us(99), 4_000.0);
}

#[test]
fn who_is_not_heard_of_drifts_back_to_what_is_usual() {
    let mut latencies = over(Peaks::Jump);
    let mut both = answers(0, 1_000, 100);
    both.extend(answers(1, 2_000_000, 1));
    latencies.observe(&both, SECOND);
    latencies.observe(&answers(0, 1_000, 256), 2 * SECOND);
    assert!(latencies.us(1) > 1_500_000.0);
    latencies.observe(&answers(0, 1_000, 256), 100 * SECOND);
    assert!(latencies.us(1) < 10_000.0, "{}", latencies.us(1));
    assert!(latencies.us(1) >= 1_000.0);
}

#[test]
fn a_failure_now_and_then_changes_little_and_a_black_hole_is_left_alone() {
    let mut latencies = over(Peaks::Jump);
    latencies.observe(&answers(0, 3_000, 200), SECOND);
    latencies.observe(&answers(1, 3_000, 200), SECOND);
    latencies.observe(&[refused(1)], SECOND);
    assert!(latencies.us(1) < 1.05 * latencies.us(0));
    latencies.observe(&[refused(1); 60], SECOND);
    assert!(latencies.us(1) > 40.0 * latencies.us(0));
    let error = Outcome {
        status: 503,
        ..outcome(0, 50)
    };
    latencies.observe(&[error; 60], SECOND);
    assert!(latencies.us(0) > 40.0 * 3_000.0);
}

#[test]
fn one_in_a_hundred_failing_everywhere_tells_nobody_from_the_others() {
    let mut latencies = over(Peaks::Jump);
    let mut chance = Generator::seeded(3);
    let mut farthest = 1.0_f64;
    for tick in 0..10_000 {
        let outcome = |slot| match chance.below(100) {
            0 => refused(slot),
            _ => outcome(slot, 5_000),
        };
        let outcomes = [0, 1, 2].map(outcome);
        latencies.observe(&outcomes, SECOND + tick * SECOND / 100);
        let estimates = [0, 1, 2].map(|slot| latencies.us(slot));
        let longest = estimates.into_iter().fold(0.0, f64::max);
        let shortest = estimates.into_iter().fold(f64::MAX, f64::min);
        farthest = farthest.max(longest / shortest);
    }
    // Four failures near to each other, 8 % of what counts, come now and then.
    assert!(farthest < 3.0, "{farthest}");
}

#[test]
fn half_of_all_failing_makes_it_many_times_as_slow_and_no_slower_than_the_bound() {
    let mut latencies = over(Peaks::Jump);
    for tick in 0..200 {
        let outcomes = [refused(1), outcome(1, 5_000), outcome(0, 5_000)];
        latencies.observe(&outcomes, SECOND + tick * SECOND / 100);
    }
    let factor = latencies.us(1) / latencies.us(0);
    assert!((15.0..40.0).contains(&factor), "{factor}");
    let mut bounded = Latencies::new(Peaks::Jump, 10.0 * SECOND as f64, 20_000.0);
    bounded.update(&[endpoint(0, 1), endpoint(1, 1)]);
    bounded.observe(&answers(0, 5_000, 9), SECOND);
    bounded.observe(&[refused(1); 200], SECOND);
    assert_eq!(bounded.us(1), 20_000.0);
}

#[test]
fn a_failure_that_took_long_is_a_slow_response_and_a_quick_one_is_none() {
    let mut latencies = over(Peaks::Jump);
    latencies.observe(&answers(0, 5_000, 100), SECOND);
    let timed_out = Outcome {
        ending: Ending::TimedOut,
        status: 0,
        ..outcome(0, 900_000)
    };
    latencies.observe(&[timed_out], SECOND);
    assert!(latencies.us(0) >= 900_000.0);
    latencies.observe(&answers(1, 5_000, 100), SECOND);
    latencies.observe(&[refused(1)], SECOND);
    assert!(latencies.us(1) >= 5_000.0);
}

#[test]
fn a_successor_knows_as_much_and_goes_on_forgetting() {
    let mut before = over(Peaks::Jump);
    before.observe(&answers(0, 4_000, 50), SECOND);
    before.observe(&answers(1, 90_000, 1), SECOND);
    before.observe(&[refused(2); 30], SECOND);
    let mut after = over(Peaks::Jump);
    after.restore(&before.save(), 7 * SECOND).unwrap();
    let others = after.us(2) / after.usual_us();
    assert!(after.us(1) > 80_000.0 && others > 10.0, "{others}");
    for second in 8..200 {
        after.observe(&answers(0, 4_000, 50), second * SECOND);
    }
    assert!(after.us(1) < 6_000.0 && after.us(2) < 6_000.0);

    let mut damaged = before.save();
    damaged[8..16].copy_from_slice(&f64::NAN.to_le_bytes());
    let mut other = over(Peaks::Jump);
    assert!(other.restore(&damaged, SECOND).is_err());
    assert!(other.restore(&before.save()[3..], SECOND).is_err());
    assert_eq!(other.us(1), 1.0);
}

#[test]
fn a_client_that_left_tells_how_slow_it_was_at_least() {
    let mut latencies = over(Peaks::Jump);
    latencies.observe(&answers(0, 3_000, 1), SECOND);
    let left = |us| Outcome {
        ending: Ending::Abandoned,
        status: 0,
        ..outcome(0, us)
    };
    latencies.observe(&[left(100)], 2 * SECOND);
    assert_eq!(latencies.us(0), 3_000.0);
    latencies.observe(&[left(70_000)], 2 * SECOND);
    assert_eq!(latencies.us(0), 70_000.0);
}
