//! How long requests keep a server busy: draws from the distribution that a
//! scenario names.

use std::path::Path;

use fastrand::Rng;

use crate::error::SimulationError;
use crate::files;
use crate::random::{exponential, normal};
use crate::scenario::{Work, nanos};

/// A distribution of working times in nanoseconds at speed 1.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    Constant(f64),
    Exponential(f64),
    /// Shortest, longest, exponent.
    Pareto(f64, f64, f64),
    /// The median, and the logarithm's standard deviation.
    LogNormal(f64, f64),
    Empirical(Vec<f64>),
}

impl Demand {
    /// What a scenario says, with the file that it may name.
    pub(crate) fn of(work: &Work, folder: &Path) -> Result<Self, SimulationError> {
        Ok(match work {
            Work::Constant { time } => Self::Constant(nanos(*time) as f64),
            Work::Exponential { mean } => Self::Exponential(nanos(*mean) as f64),
            Work::Pareto { least, most, shape } => {
                Self::Pareto(nanos(*least) as f64, nanos(*most) as f64, *shape)
            }
            Work::LogNormal { median, sigma } => Self::LogNormal(nanos(*median) as f64, *sigma),
            Work::Empirical { file } => {
                let measured = files::numbers(&folder.join(file))?;
                Self::Empirical(measured.into_iter().map(|ms| ms * 1e6).collect())
            }
        })
    }

    /// The next one, in whole nanoseconds, at least one.
    pub(crate) fn draw(&self, random: &mut Rng) -> u64 {
        let drawn = match self {
            Self::Constant(time) => *time,
            Self::Exponential(mean) => exponential(random, *mean),
            Self::Pareto(least, most, shape) => {
                // The inverse of the bounded distribution's function.
                let ratio = libm::pow(least / most, *shape);
                let rest = 1.0 - random.f64() * (1.0 - ratio);
                least / libm::pow(rest, 1.0 / shape)
            }
            Self::LogNormal(median, sigma) => median * libm::exp(sigma * normal(random)),
            Self::Empirical(measured) => measured[random.usize(..measured.len())],
        };
        (drawn as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    fn drawn(demand: &Demand) -> Vec<f64> {
        let mut random = stream(1, Purpose::Demands);
        let mut drawn: Vec<_> = (0..100_000)
            .map(|_| demand.draw(&mut random) as f64)
            .collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    fn is_near(value: f64, expected: f64, by: f64) -> bool {
        (value / expected - 1.0).abs() < by
    }

    #[test]
    fn a_bounded_pareto_has_its_mean_and_its_bounds() {
        let (least, most, shape) = (1e6_f64, 1e9_f64, 1.5_f64);
        let drawn = drawn(&Demand::Pareto(least, most, shape));
        // E[X] = L^a / (1 - (L/H)^a) · a / (a-1) · (L^(1-a) - H^(1-a)).
        let expected = least.powf(shape) / (1.0 - (least / most).powf(shape)) * shape
            / (shape - 1.0)
            * (least.powf(1.0 - shape) - most.powf(1.0 - shape));
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!(is_near(mean, expected, 0.05), "{mean} {expected}");
        assert!(drawn[0] >= least && drawn[drawn.len() - 1] <= most);
    }

    #[test]
    fn a_log_normal_has_its_median_and_its_spread() {
        let drawn = drawn(&Demand::LogNormal(5e6, 1.0));
        let quantile = |part: f64| drawn[(drawn.len() as f64 * part) as usize];
        assert!(is_near(quantile(0.5), 5e6, 0.02));
        // One standard deviation above: the 84.13th percentile.
        assert!(is_near(quantile(0.8413), 5e6 * 1.0_f64.exp(), 0.03));
    }

    #[test]
    fn what_was_measured_is_drawn_and_nothing_else() {
        let drawn = drawn(&Demand::Empirical(vec![1e6, 3e6]));
        assert!(drawn.iter().all(|time| *time == 1e6 || *time == 3e6));
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!(is_near(mean, 2e6, 0.02), "{mean}");
    }
}
