//! What plugins take of a request, as a gateway under load tells it: it counts all
//! decisions, and times one in 64 of each plugin.

use anyhow::Result;

use super::metrics::Metrics;

/// The share of a request's CPU time that decisions of the default chain may take.
pub(super) const MOST: f64 = 0.08;

/// What all plugins of a gateway have decided so far.
pub(super) struct Decided {
    decisions: f64,
    /// Those that were timed.
    timed: f64,
    /// What these took together.
    seconds: f64,
}

impl Decided {
    /// Ask a gateway's admin port.
    ///
    /// # Errors
    ///
    /// When it does not tell.
    pub(super) fn so_far(admin_port: u16) -> Result<Self> {
        let metrics = Metrics::of(admin_port)?;
        Ok(Self {
            decisions: metrics.sum("gatewright_plugin_decisions_total"),
            timed: metrics.sum("gatewright_plugin_decision_seconds_count"),
            seconds: metrics.sum("gatewright_plugin_decision_seconds_sum"),
        })
    }

    /// Microseconds of decisions since then, for each of so many requests. The same
    /// share of every plugin's is timed, so what was timed stands for all.
    pub(super) fn us_per_request(&self, before: &Self, requests: u64) -> f64 {
        let timed = self.timed - before.timed;
        if timed <= 0.0 {
            return 0.0;
        }
        let each = (self.seconds - before.seconds) / timed;
        each * (self.decisions - before.decisions) * 1e6 / requests as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Decided;

    #[test]
    fn what_was_timed_stands_for_all() {
        let of = |decisions, timed, seconds| Decided {
            decisions,
            timed,
            seconds,
        };
        let before = of(640.0, 10.0, 1.0);
        // Four decisions for each of 160 requests, half a second each.
        let after = of(1280.0, 20.0, 6.0);
        assert_eq!(after.us_per_request(&before, 160), 2e6);
        assert_eq!(before.us_per_request(&before, 160), 0.0);
    }
}
