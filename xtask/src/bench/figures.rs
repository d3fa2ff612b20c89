//! Figures of single runs, their medians, and how they are printed.

use serde::Serialize;

/// Above this share of a core, others disturbed what was measured.
const DISTURBED: f64 = 0.1;

/// What one run of one proxy showed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Run {
    /// Requests answered.
    pub(super) requests: u64,
    /// Requests that failed, in whichever way.
    pub(super) failed: u64,
    pub(super) requests_per_second: f64,
    /// Median response time in microseconds.
    pub(super) p50_us: f64,
    /// 99th percentile of response times in microseconds.
    pub(super) p99_us: f64,
    /// The 99.9th; null where the load generator does not tell.
    pub(super) p999_us: f64,
    /// The proxy's CPU time in microseconds, for each request.
    pub(super) cpu_us_per_request: f64,
    /// The part of it that was spent in the kernel. The kernel samples the two
    /// modes, so the parts are less exact than their sum.
    pub(super) kernel_us_per_request: f64,
    /// The share of its workers' cores that the proxy used: 1 is saturated.
    pub(super) core_busy: f64,
    /// The share of one core that load generator and backends used: 1 is when they,
    /// and not the proxy, limited the run.
    pub(super) load_busy: f64,
    /// The share of one core that others than proxy, load generator and
    /// backends used meanwhile.
    pub(super) strangers: f64,
}

/// The figures that are compared.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Ratios {
    pub(super) cpu_per_request: f64,
    pub(super) requests_per_second: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
}

impl Ratios {
    /// Ours divided by a peer's, round by round, then the median: what disturbed
    /// a round disturbed both.
    pub(super) fn between(ours: &[Run], peer: &[Run]) -> Self {
        let of = |figure: fn(&Run) -> f64| {
            median(
                ours.iter()
                    .zip(peer)
                    .map(|(ours, peer)| figure(ours) / figure(peer)),
            )
        };
        Self {
            cpu_per_request: of(|run| run.cpu_us_per_request),
            requests_per_second: of(|run| run.requests_per_second),
            p50: of(|run| run.p50_us),
            p99: of(|run| run.p99_us),
            p999: of(|run| run.p999_us),
        }
    }
}

/// The middle value; the mean of the middle two of an even number. Not a number
/// for none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// What makes a proxy's figures worth less, if other programs took so much of a core
/// while they were measured.
pub(super) fn disturbance(name: &str, strangers: f64) -> Option<String> {
    (strangers > DISTURBED).then(|| {
        format!(
            "note: other programs took {:.0} % of a core while {name} was measured",
            strangers * 100.0
        )
    })
}

/// What a table puts before a figure that misses what is promised.
pub(super) fn mark(is_missed: bool) -> &'static str {
    if is_missed { "!" } else { "" }
}

/// A number with its thousands set apart.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Ratios, Run, disturbance, grouped, median};

    #[test]
    fn the_median_ignores_an_outlier() {
        assert_eq!(median([3.0, 1.0, 900.0].into_iter()), 3.0);
        assert_eq!(median([4.0, 2.0].into_iter()), 3.0);
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let run = |cpu| Run {
            requests: 1,
            failed: 0,
            requests_per_second: 1.0,
            p50_us: 1.0,
            p99_us: 1.0,
            p999_us: 1.0,
            cpu_us_per_request: cpu,
            kernel_us_per_request: cpu,
            core_busy: 1.0,
            load_busy: 0.5,
            strangers: 0.0,
        };
        // The second round was disturbed for both.
        let ours = [run(10.0), run(30.0), run(10.0)];
        let peer = [run(20.0), run(60.0), run(25.0)];
        assert_eq!(Ratios::between(&ours, &peer).cpu_per_request, 0.5);
    }

    #[test]
    fn only_much_of_a_core_disturbs() {
        assert_eq!(disturbance("nginx", 0.1), None);
        assert_eq!(
            disturbance("nginx", 0.25).unwrap(),
            "note: other programs took 25 % of a core while nginx was measured"
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(999.0), "999");
    }
}
