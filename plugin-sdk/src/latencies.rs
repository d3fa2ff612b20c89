//! How long endpoints take to answer, learned from the outcomes of attempts.
//!
//! The estimate is Finagle's peak EWMA (`PeakEwma.scala`, 2014, which Linkerd
//! took over): a mean that is weighted by time and not by the number of
//! responses, and that may jump to a slow response at once and come down from
//! it slowly. An endpoint that is not heard of drifts back to what is usual in
//! its pool and not to zero, so that it is tried again without being flooded.
//!
//! Failures are kept apart from times, as the share of attempts that failed, and
//! enter by a penalty that is added to the time: the way of gRPC's client-side
//! weighted round robin (gRFC A58, `error_utilization_penalty`). Two things are
//! different. The penalty is in units of the time itself, so that it means the
//! same for servers of 1 ms and of 1 s. And the share is squared: an estimate is
//! time × (1 + 100 × share²), so that 1 % of errors, which all servers of a pool
//! may have by chance, changes it by 1 %, one failure in two makes it 26 times as
//! long, and a server that refuses everything at once (a black hole) counts as
//! 101 times as slow. A failure that took longer than the estimate, such as one
//! that ran out of time, counts as a slow response besides; a quick one never
//! makes an endpoint look quicker.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::failing::Failing;
use crate::{Ending, Endpoint, Ledger, Outcome, Slot};

/// What a slow response does to an estimate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peaks {
    /// It becomes the estimate: for the policy that flees from trouble.
    Jump,
    /// It goes into the mean like any other. The first responses of an endpoint
    /// count by their number, beside what is usual in its pool: one lucky response
    /// makes nobody the quickest.
    Average,
}

/// Estimates of the response times of a pool's endpoints.
#[derive(Clone, Debug)]
pub struct Latencies {
    estimates: Ledger<Estimate>,
    peaks: Peaks,
    fading: Fading,
    /// What failures raise an estimate to at most, in microseconds.
    worst_us: f64,
    /// A mean over the latest responses of all endpoints; 0 before the first.
    usual_us: f64,
}

/// How what was known loses its weight.
#[derive(Clone, Copy, Debug)]
struct Fading {
    decay_ns: f64,
    /// When outcomes were last heard.
    now: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Estimate {
    /// None before the first response.
    time: Option<Time>,
    failing: Failing,
}

/// A mean response time.
#[derive(Clone, Copy, Debug)]
struct Time {
    us: f64,
    /// When it was last changed.
    at: u64,
    /// Of how many responses, up to [`ENOUGH`].
    responses: f64,
}

/// How many responses an average remembers at the most, beside [`USUAL`]: one
/// counts by the time since the one before, and for this part of all at least.
const ENOUGH: f64 = 100.0;

/// For how many responses what is usual stands beside the first ones.
const USUAL: f64 = 8.0;

/// The share of what is usual that one response is.
const SHARE: f64 = 1.0 / 64.0;

/// How many times its time an endpoint that fails everything takes besides.
const PENALTY: f64 = 100.0;

/// What a response time is at least, in microseconds, so that requests in flight
/// and failures count before the first response.
const LEAST_US: f64 = 1.0;

impl Latencies {
    /// Estimates that forget within some `decay_ns` nanoseconds (what is older
    /// than that has about a third of its weight), and that failures raise to
    /// `worst_us` microseconds at most.
    pub fn new(peaks: Peaks, decay_ns: f64, worst_us: f64) -> Self {
        Self {
            estimates: Ledger::default(),
            peaks,
            fading: Fading { decay_ns, now: 0 },
            worst_us,
            usual_us: 0.0,
        }
    }

    /// Keep what is known of these endpoints.
    pub fn update(&mut self, endpoints: &[Endpoint]) {
        self.estimates.keep(endpoints, |_| Estimate::default());
    }

    /// Learn from outcomes that are told at `now`, in nanoseconds of the host's
    /// clock. Responses that are told together come at one moment, so that those
    /// of an endpoint after its first count for little, but for slower ones where
    /// peaks jump; failures count one by one.
    pub fn observe(&mut self, outcomes: &[Outcome], now: u64) {
        self.fading.now = now;
        for outcome in outcomes {
            let us = f64::from(outcome.first_byte_us);
            if outcome.is_failure() {
                self.attempted(outcome.slot, true);
                self.endured(outcome.slot, us);
            } else if outcome.ending == Ending::Abandoned && outcome.status == 0 {
                self.endured(outcome.slot, us);
            } else {
                self.attempted(outcome.slot, false);
                self.responded(outcome.slot, us);
            }
        }
    }

    /// The estimate for an endpoint in microseconds, failures included, never
    /// less than 1. For one that has not answered yet it is what is usual in the
    /// pool.
    #[inline]
    pub fn us(&self, slot: Slot) -> f64 {
        let Some(estimate) = self.estimates.get(slot) else {
            return at_least(LEAST_US, self.usual_us);
        };
        let us = at_least(LEAST_US, self.time_us(estimate));
        if estimate.failing.is_none() {
            return us;
        }
        let kept = self.fading.kept(estimate.failing.at);
        let share = estimate.failing.share(kept);
        let penalised = us * (1.0 + PENALTY * share * share);
        penalised.min(self.worst_us.max(us))
    }

    /// What is usual in the pool, in microseconds; 0 before the first response.
    pub fn usual_us(&self) -> f64 {
        self.usual_us
    }

    /// The mean time of an endpoint, without its failures.
    #[inline]
    fn time_us(&self, estimate: &Estimate) -> f64 {
        match estimate.time {
            Some(time) => {
                let kept = self.fading.kept(time.at);
                self.usual_us + (time.us - self.usual_us) * kept
            }
            None => self.usual_us,
        }
    }

    fn attempted(&mut self, slot: Slot, has_failed: bool) {
        let fading = self.fading;
        if let Some(Estimate { failing, .. }) = self.estimates.get_mut(slot) {
            failing.attempted(has_failed, fading.kept(failing.at), fading.now);
        }
    }

    fn responded(&mut self, slot: Slot, us: f64) {
        self.usual_us = match self.usual_us {
            0.0 => us,
            usual => usual + (us - usual) * SHARE,
        };
        self.measured(slot, us);
    }

    fn measured(&mut self, slot: Slot, us: f64) {
        let (fading, usual_us) = (self.fading, self.usual_us);
        let Some(estimate) = self.estimates.get_mut(slot) else {
            return;
        };
        let known = estimate.time.unwrap_or(Time {
            us: usual_us,
            at: fading.now,
            responses: 0.0,
        });
        let responses = at_most(ENOUGH, known.responses + 1.0);
        let part = match self.peaks {
            Peaks::Jump if us > known.us || estimate.time.is_none() => 1.0,
            Peaks::Jump => 1.0 - fading.kept(known.at),
            Peaks::Average => at_least(1.0 / (responses + USUAL), 1.0 - fading.kept(known.at)),
        };
        estimate.time = Some(Time {
            us: known.us + (us - known.us) * part,
            at: fading.now,
            responses,
        });
    }

    /// The response was not waited for, or never came, which tells how slow it
    /// was at least: nothing before others have shown what is slow.
    fn endured(&mut self, slot: Slot, us: f64) {
        let estimate = self.estimates.get(slot);
        let is_slower = estimate.is_some_and(|estimate| us > self.time_us(estimate));
        if self.usual_us > 0.0 && is_slower {
            self.measured(slot, us);
        }
    }
}

impl Fading {
    /// The weight that is left of what was known at a time. (1 + x / 8)⁻⁸ is
    /// close to e⁻ˣ and costs a division.
    #[inline]
    fn kept(self, at: u64) -> f64 {
        let age = self.now.saturating_sub(at);
        if age == 0 {
            // So it is for most who were heard of in one call.
            return 1.0;
        }
        let age = age as f64 / self.decay_ns;
        let root = 1.0 / (1.0 + age / 8.0);
        let fourth = root * root * root * root;
        fourth * fourth
    }
}

/// A figure, or `least` if that is more. To WebAssembly [`f64::max`] is a call, for
/// the sake of what is no number.
#[inline]
fn at_least(least: f64, figure: f64) -> f64 {
    if figure < least { least } else { figure }
}

/// A figure, or `most` if that is less.
#[inline]
pub(crate) fn at_most(most: f64, figure: f64) -> f64 {
    if figure > most { most } else { figure }
}

/// What marks an endpoint without a time in a saved state.
const NO_TIME: f64 = -1.0;

impl Latencies {
    /// What is known, by endpoint id, for a successor that goes on later.
    pub fn save(&self) -> Vec<u8> {
        let age = |at: u64| self.fading.now.saturating_sub(at) as f64;
        self.estimates.save(|estimate| {
            let time = estimate.time;
            let [us, since, responses] = time.map_or([NO_TIME, 0.0, 0.0], |time| {
                [time.us, age(time.at), time.responses]
            });
            let failing = estimate.failing;
            let [share, attempts] = [failing.share(1.0), failing.attempts()];
            [us, since, responses, share, attempts, age(failing.at)]
        })
    }

    /// Go on at `now` from what a predecessor saved, for the endpoints that are
    /// still there.
    ///
    /// # Errors
    ///
    /// When the bytes are not what [`save`](Self::save) writes; nothing is
    /// changed then.
    pub fn restore(&mut self, state: &[u8], now: u64) -> Result<(), String> {
        let ages = 0.0..=u64::MAX as f64;
        let is_possible = |[us, since, responses, share, attempts, age]: [f64; 6]| {
            (us == NO_TIME || (0.0..=f64::from(u32::MAX)).contains(&us))
                && ages.contains(&since)
                && ages.contains(&age)
                && (0.0..=ENOUGH).contains(&responses)
                && Failing::is_possible(share, attempts)
        };
        let (mut sum, mut count) = (0.0, 0.0);
        let before = |age: f64| now.saturating_sub(age as u64);
        let restored = self.estimates.restore(state, is_possible, |estimate, row| {
            let [us, since, responses, share, attempts, age] = row;
            let at = before(since);
            estimate.time = (us >= 0.0).then_some(Time { us, at, responses });
            estimate.failing = Failing::known(share, attempts, before(age));
            if us >= 0.0 {
                sum += us;
                count += 1.0;
            }
        });
        if !restored {
            return Err("the state is damaged".to_string());
        }
        self.fading.now = now;
        if count > 0.0 {
            self.usual_us = sum / count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
