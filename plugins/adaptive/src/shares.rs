//! What share of its configured weight each endpoint has, and what was measured
//! of it since it was last adjusted.

use gatewright_plugin_sdk::{Ending, Endpoint, Ledger, Outcome, Slot, load};

/// The shares of a pool's endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    endpoints: Ledger<Measured>,
    least: f64,
    most: f64,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    share: f64,
    /// Picks since the last adjustment.
    asked: u32,
    responses: u32,
    failures: u32,
    /// The responses' times together, in microseconds.
    total_us: f64,
}

/// Nothing measured yet, and the whole configured weight.
const NEW: Measured = Measured {
    share: 1.0,
    asked: 0,
    responses: 0,
    failures: 0,
    total_us: 0.0,
};

/// The part of the way to its target that a share goes where many attempts tell.
const STEP: f64 = 0.5;

/// How far a share goes back towards 1 in a second in which its endpoint was not
/// asked at all: what was known of it grows old, but nothing else is known.
const RETURN_PER_S: f64 = 0.02;

/// From so many attempts half of that.
const FEW: f64 = 10.0;

impl Shares {
    /// Shares that stay between two bounds around 1.
    pub(crate) fn between(least: f64, most: f64) -> Self {
        Self {
            endpoints: Ledger::default(),
            least,
            most,
        }
    }

    pub(crate) fn update(&mut self, endpoints: &[Endpoint]) {
        self.endpoints.keep(endpoints, |_| NEW);
    }

    /// The share of a slot's endpoint; 1 where nothing is known.
    pub(crate) fn of(&self, slot: Slot) -> f64 {
        self.endpoints
            .get(slot)
            .map_or(NEW.share, |known| known.share)
    }

    /// A request was sent there.
    #[inline]
    pub(crate) fn asked(&mut self, slot: Slot) {
        if let Some(measured) = self.endpoints.get_mut(slot) {
            measured.asked = measured.asked.saturating_add(1);
        }
    }

    pub(crate) fn observe(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let Some(measured) = self.endpoints.get_mut(outcome.slot) else {
                continue;
            };
            if outcome.is_failure() {
                measured.failures += 1;
            } else if outcome.ending == Ending::Completed || outcome.status != 0 {
                measured.responses += 1;
                measured.total_us += f64::from(outcome.first_byte_us);
            }
        }
    }

    /// Move all shares by what was measured in so many microseconds.
    pub(crate) fn adjust(&mut self, endpoints: &[Endpoint], interval_us: f64) {
        let usual_us = self.usual_us(endpoints);
        for endpoint in endpoints {
            if let Some(measured) = self.endpoints.get_mut(endpoint.slot) {
                let is_stuck = measured.is_silent() && load::active(endpoint.slot) > 0;
                let stuck_us = is_stuck.then_some(interval_us);
                let share = match measured.target(usual_us, stuck_us) {
                    Some(target) => {
                        let target = target.clamp(self.least, self.most);
                        let step = STEP * measured.certainty();
                        measured.share + (target - measured.share) * step
                    }
                    None => measured.unproven(interval_us / 1e6),
                };
                *measured = Measured { share, ..NEW };
            }
        }
    }

    /// All shares by endpoint id, for a successor.
    pub(crate) fn save(&self) -> Vec<u8> {
        self.endpoints.save(|measured| [measured.share])
    }

    /// Go on from what a predecessor saved, within the bounds of now. Whether the
    /// bytes are that; nothing is changed if not.
    #[must_use]
    pub(crate) fn restore(&mut self, state: &[u8]) -> bool {
        let (least, most) = (self.least, self.most);
        let is_possible = |[share]: [f64; 1]| (0.0..=100.0).contains(&share);
        self.endpoints
            .restore(state, is_possible, |measured, [share]| {
                measured.share = share.clamp(least, most);
            })
    }

    /// The harmonic mean of the response times by configured weight: where
    /// every endpoint has its target as share, the sum of weights is what it was.
    fn usual_us(&self, endpoints: &[Endpoint]) -> Option<f64> {
        let (mut weights, mut rates) = (0.0, 0.0);
        for endpoint in endpoints {
            let mean_us = self
                .endpoints
                .get(endpoint.slot)
                .and_then(Measured::mean_us);
            if let Some(mean_us) = mean_us {
                weights += f64::from(endpoint.weight);
                rates += f64::from(endpoint.weight) / mean_us;
            }
        }
        (rates > 0.0).then(|| weights / rates)
    }
}

impl Measured {
    /// It was asked and nothing came back, neither well nor badly.
    fn is_silent(&self) -> bool {
        self.asked > 0 && self.responses + self.failures == 0
    }

    fn mean_us(&self) -> Option<f64> {
        let mean = (self.total_us / f64::from(self.responses)).max(1.0);
        (self.responses > 0).then_some(mean)
    }

    /// The share that it should have by what was measured; none where nothing was.
    fn target(&self, usual_us: Option<f64>, stuck_us: Option<f64>) -> Option<f64> {
        let attempts = self.responses + self.failures;
        if attempts == 0 {
            // It takes that long at least, which speaks for nobody.
            let target = usual_us? / stuck_us?;
            return Some(target.min(self.share));
        }
        let succeeded = f64::from(self.responses) / f64::from(attempts);
        Some(match (self.mean_us(), usual_us) {
            (Some(mean_us), Some(usual_us)) => usual_us / mean_us * succeeded,
            _ => succeeded,
        })
    }

    /// The share after so many seconds that tell nothing. Requests without an
    /// answer of either kind, whose clients left, say nothing for the endpoint:
    /// it stays where it was. One that was not asked goes towards its whole
    /// configured weight, slowly, and not beyond.
    fn unproven(&self, seconds: f64) -> f64 {
        if self.asked > 0 {
            return self.share;
        }
        let step = RETURN_PER_S * seconds;
        self.share + (NEW.share - self.share).clamp(-step, step)
    }

    /// How much is known: towards 1 with many attempts. Silence counts by the
    /// requests that met with it.
    fn certainty(&self) -> f64 {
        let attempts = match self.responses + self.failures {
            0 => self.asked,
            attempts => attempts,
        };
        f64::from(attempts) / (f64::from(attempts) + FEW)
    }
}
