//! How long endpoints take to answer, learned from the outcomes of attempts.
//!
//! The estimate is Finagle's peak EWMA (`PeakEwma.scala`, 2014, which Linkerd
//! took over): a mean that is weighted by time and not by the number of
//! responses, and that may jump to a slow response at once and come down from
//! it slowly. Two things are different here. An endpoint that is not heard of
//! drifts back to what is usual in its pool and not to zero, so that it is
//! tried again without being flooded. And a failure, however quick, makes an
//! endpoint slower in our eyes: each one doubles its estimate, up to a bound,
//! so that a single one matters little and one that refuses everything at once
//! (a black hole) is soon left alone.

use crate::{Ending, Endpoint, Ledger, Outcome, Slot};

/// What a slow response does to an estimate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peaks {
    /// It becomes the estimate: for the policy that flees from trouble.
    Jump,
    /// It goes into the mean like any other.
    Average,
}

/// Estimates of the response times of a pool's endpoints.
#[derive(Clone, Debug)]
pub struct Latencies {
    estimates: Ledger<Option<Estimate>>,
    peaks: Peaks,
    decay_ns: f64,
    /// What failures raise an estimate to at most, in microseconds.
    worst_us: f64,
    /// When outcomes were last heard.
    now: u64,
    /// A mean over the latest responses of all endpoints; 0 before the first.
    usual_us: f64,
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    us: f64,
    /// When it was last changed.
    at: u64,
}

/// The share of what is usual that one response is.
const SHARE: f64 = 1.0 / 64.0;

/// What a failure counts from where nothing is known: a millisecond.
const LEAST_FAILURE_US: f64 = 1_000.0;

impl Latencies {
    /// Estimates that forget within some `decay_ns` nanoseconds (what is older
    /// than that has about a third of its weight), and that failures raise to
    /// `worst_us` microseconds at most.
    pub fn new(peaks: Peaks, decay_ns: f64, worst_us: f64) -> Self {
        Self {
            estimates: Ledger::default(),
            peaks,
            decay_ns,
            worst_us,
            now: 0,
            usual_us: 0.0,
        }
    }

    /// Keep what is known of these endpoints.
    pub fn update(&mut self, endpoints: &[Endpoint]) {
        self.estimates.keep(endpoints, |_| None);
    }

    /// Learn from outcomes that are told at `now`, in nanoseconds of the host's
    /// clock. Of several responses of an endpoint that are told together the
    /// first stands for the rest, but for slower ones where peaks jump.
    pub fn observe(&mut self, outcomes: &[Outcome], now: u64) {
        self.now = now;
        for outcome in outcomes {
            let us = f64::from(outcome.first_byte_us);
            if outcome.is_failure() {
                self.raise(outcome.slot, us);
            } else if outcome.ending == Ending::Abandoned && outcome.status == 0 {
                self.endured(outcome.slot, us);
            } else {
                self.responded(outcome.slot, us);
            }
        }
    }

    /// The estimate for an endpoint in microseconds: what is usual in the pool
    /// for one that has not answered yet, 0 before anyone has.
    #[inline]
    pub fn us(&self, slot: Slot) -> f64 {
        let Some(Some(estimate)) = self.estimates.get(slot) else {
            return self.usual_us;
        };
        let kept = self.kept(estimate.at);
        self.usual_us + (estimate.us - self.usual_us) * kept
    }

    /// What is usual in the pool, in microseconds; 0 before the first response.
    pub fn usual_us(&self) -> f64 {
        self.usual_us
    }

    fn responded(&mut self, slot: Slot, us: f64) {
        self.usual_us = match self.usual_us {
            0.0 => us,
            usual => usual + (us - usual) * SHARE,
        };
        let estimate = match self.estimates.get(slot) {
            None => return,
            Some(None) => us,
            Some(Some(known)) if self.peaks == Peaks::Jump && us > known.us => us,
            Some(Some(known)) => us + (known.us - us) * self.kept(known.at),
        };
        self.set(slot, estimate);
    }

    /// The client did not wait for the response, which tells how slow it was at least.
    fn endured(&mut self, slot: Slot, us: f64) {
        if us > self.us(slot) {
            self.responded(slot, us);
        }
    }

    fn raise(&mut self, slot: Slot, us: f64) {
        let known = self.us(slot);
        let least = known.max(self.usual_us).max(LEAST_FAILURE_US);
        let raised = (2.0 * least).min(self.worst_us);
        self.set(slot, raised.max(known).max(us));
    }

    fn set(&mut self, slot: Slot, us: f64) {
        let at = self.now;
        if let Some(estimate) = self.estimates.get_mut(slot) {
            *estimate = Some(Estimate { us, at });
        }
    }

    /// The weight that is left of what was known at a time. (1 + x / 8)⁻⁸ is
    /// close to e⁻ˣ and costs a division.
    #[inline]
    fn kept(&self, at: u64) -> f64 {
        let age = self.now.saturating_sub(at) as f64 / self.decay_ns;
        let root = 1.0 / (1.0 + age / 8.0);
        let fourth = root * root * root * root;
        fourth * fourth
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::{Latencies, Peaks};
    use crate::testing::{endpoint, outcome};
    use crate::{Ending, Outcome};

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
        latencies.observe(&answers(0, 1_000, 1), SECOND);
        latencies.observe(&answers(0, 90_000, 1), 2 * SECOND);
        assert!((8_000.0..11_000.0).contains(&latencies.us(0)));
    }

    #[test]
    fn who_has_not_answered_yet_is_as_slow_as_is_usual() {
        let mut latencies = over(Peaks::Jump);
        assert_eq!(latencies.us(2), 0.0);
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
    fn one_failure_doubles_and_a_black_hole_goes_to_the_bound() {
        let mut latencies = over(Peaks::Jump);
        latencies.observe(&answers(0, 3_000, 9), SECOND);
        latencies.observe(&[refused(1)], SECOND);
        assert_eq!(latencies.us(1), 6_000.0);
        latencies.observe(&[refused(1); 40], SECOND);
        assert_eq!(latencies.us(1), 5_000_000.0);
        let error = Outcome {
            status: 503,
            ..outcome(0, 50)
        };
        latencies.observe(&[error], SECOND);
        assert_eq!(latencies.us(0), 6_000.0);
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
}
