//! What is known of an endpoint at a pick: its own report where there is a fresh
//! one, and else what is seen from here.

use gatewright_plugin_sdk::{Candidate, Endpoint, Latencies, Ledger, Slot, load, log};

use crate::Config;
use crate::probes::Probe;

/// The reports that picks went by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    /// The last one of each endpoint.
    seen: Ledger<Seen>,
    /// Picks that met with reports, and reports that they met with first.
    picks: u32,
    fresh: u32,
    /// What follows from both: how many picks may go by a report; 0 until that is
    /// worked out.
    known_most_uses: u32,
    /// When the first pick was, while it is not told that no report has come.
    waiting_since_ms: Option<u64>,
    has_told: bool,
}

/// A report that was met with.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// When it was made; 0 before the first.
    at_ms: u64,
    /// Requests that this gateway had in flight there then.
    active: u32,
    /// Picks that went by it.
    uses: u32,
}

/// By how many milliseconds two looks at one report may differ: its age is told
/// in whole ones. Reports come 20 ms apart at least.
const SAME_MS: u64 = 5;

/// From so many fresh reports on, both counts are halved: older ones count less.
const ENOUGH: u32 = 64;

/// Every report may have so many times its share of the picks: the paper's 1 + δ.
const OVERUSE: u32 = 2;

/// How many times as slow as is usual an endpoint has to be, as seen from here,
/// for its own report to be doubted.
const DOUBT: f64 = 4.0;

/// For how long picks go without any report before that is told.
const SILENCE_MS: u64 = 5_000;

impl Reports {
    pub(crate) fn update(&mut self, endpoints: &[Endpoint]) {
        self.seen.keep(endpoints, |_| Seen::default());
    }

    /// What is known of an endpoint at a time.
    #[inline(never)]
    pub(crate) fn probe(
        &mut self,
        candidate: Candidate,
        latencies: &Latencies,
        (config, now_ms): (&Config, u64),
    ) -> Probe {
        let Candidate { slot, weight } = candidate;
        let active = load::active(slot);
        let local_us = latencies.us(slot);
        let report = load::reported(slot);
        let report = report.filter(|report| report.age_ms <= config.max_age_ms);
        let each = match weight {
            1 => 1.0,
            weight => 1.0 / f64::from(weight),
        };
        let Some(report) = report else {
            return Probe {
                slot,
                in_flight: f64::from(active) * each,
                latency_us: roughly(local_us, latencies.usual_us()),
                each,
                at_ms: now_ms,
                // The next look is as cheap, and sees what other workers do.
                uses: 1,
            };
        };
        let at_ms = now_ms.saturating_sub(u64::from(report.age_ms));
        let most = self.most_uses();
        let mut uses = most;
        let mut in_flight = report.in_flight;
        if let Some(seen) = self.seen.get_mut(slot) {
            if at_ms > seen.at_ms + SAME_MS {
                self.fresh += 1;
                self.known_most_uses = 0;
                *seen = Seen {
                    at_ms,
                    active,
                    uses: 0,
                };
            }
            uses = most.saturating_sub(seen.uses);
            // What this gateway sent there since, and what came back.
            in_flight = in_flight.saturating_add(active).saturating_sub(seen.active);
        }
        let usual_us = latencies.usual_us();
        let is_doubted = usual_us > 0.0 && local_us > DOUBT * usual_us;
        let latency_us = match is_doubted {
            true => local_us,
            false => f64::from(report.latency_us),
        };
        Probe {
            slot,
            in_flight: f64::from(in_flight.max(active)) * each,
            latency_us,
            each,
            at_ms,
            uses,
        }
    }

    /// A pick goes to an endpoint at a time.
    pub(crate) fn picked(&mut self, slot: Slot, (config, now_ms): (&Config, u64)) {
        if self.fresh > 0 {
            self.picks += 1;
            self.known_most_uses = 0;
            if self.fresh >= ENOUGH || self.picks == u32::MAX {
                self.fresh = self.fresh.div_ceil(2);
                self.picks /= 2;
            }
            if let Some(seen) = self.seen.get_mut(slot) {
                seen.uses = seen.uses.saturating_add(1);
            }
        } else if !self.has_told {
            let since_ms = *self.waiting_since_ms.get_or_insert(now_ms);
            if now_ms.saturating_sub(since_ms) >= SILENCE_MS {
                self.has_told = true;
                log::info(&format!(
                    "no server has reported its load within {} ms of a decision: requests in \
                     flight and response times as seen from here decide; `probe` in the pool asks \
                     servers for reports",
                    config.max_age_ms
                ));
            }
        }
    }

    /// How many picks may go by a report. The paper's limit is (1 + δ) over the
    /// probes that a query brings, less those that are removed; reports come by
    /// time here, so what a pick brings is counted.
    fn most_uses(&mut self) -> u32 {
        if self.known_most_uses == 0 {
            let picks = self.picks.saturating_add(1).saturating_mul(OVERUSE);
            self.known_most_uses = picks.div_ceil(self.fresh.max(1)).max(1);
        }
        self.known_most_uses
    }
}

/// A response time in steps of two around what is usual. A mean of what this
/// worker saw is not as exact as a server's own report, and who is a little slower
/// by chance would otherwise get nothing for as long as nothing more is seen.
fn roughly(us: f64, usual_us: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let usual_us = if usual_us < 1.0 { 1.0 } else { usual_us };
    // The power of two next to the ratio: that of its product with √2, cut off.
    let ratio = us / usual_us * std::f64::consts::SQRT_2;
    usual_us * f64::from_bits(ratio.to_bits() & !MANTISSA)
}

#[cfg(test)]
mod tests {
    use super::roughly;

    #[test]
    fn times_that_are_about_alike_are_equal() {
        for us in [720.0, 1_000.0, 1_410.0] {
            assert_eq!(roughly(us, 1_000.0), 1_000.0);
        }
        assert_eq!(roughly(1_420.0, 1_000.0), 2_000.0);
        assert_eq!(roughly(350.0, 1_000.0), 250.0);
        assert_eq!(roughly(1.0, 0.0), 1.0);
    }
}
