//! Families of metrics: a name, a help, and a sample for each labelled thing.

use std::fmt;

use gatewright_model::histogram::Reading;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::overview::ladder;

/// What a sample is told apart by.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Something that has figures, and what it is told apart by.
pub(super) type Labelled<T> = (Labels, T);

/// A name and what it means.
pub(super) type Named = (&'static str, &'static str);

/// Where families are written to.
pub(super) struct Families<'a>(DescriptorEncoder<'a>);

/// The unit of a histogram and the ladder that it is shown on.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    /// How many units are a second.
    per_second: f64,
    /// The lowest and the highest rung, as powers of two of units.
    rungs: (u32, u32),
}

impl Scale {
    /// Requests: 64 µs to 67 s.
    pub(super) const MICROSECONDS: Self = Self {
        per_second: 1e6,
        rungs: (6, 26),
    };
    /// Decisions: 64 ns to 16 ms.
    pub(super) const NANOSECONDS: Self = Self {
        per_second: 1e9,
        rungs: (6, 24),
    };
}

impl<'a> Families<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// Numbers that only grow.
    pub(super) fn counters<T>(
        &mut self,
        named: Named,
        of: &[Labelled<T>],
        value: impl Fn(&T) -> u64,
    ) -> fmt::Result {
        self.family(named, MetricType::Counter, of, |mut metric, thing| {
            metric.encode_counter::<NoLabelSet, u64, f64>(&value(thing), None)
        })
    }

    /// Numbers that go up and down.
    pub(super) fn gauges<T>(
        &mut self,
        named: Named,
        of: &[Labelled<T>],
        value: impl Fn(&T) -> f64,
    ) -> fmt::Result {
        self.family(named, MetricType::Gauge, of, |mut metric, thing| {
            metric.encode_gauge(&value(thing))
        })
    }

    /// Durations in seconds.
    pub(super) fn histograms<T>(
        &mut self,
        named: Named,
        scale: Scale,
        of: &[Labelled<T>],
        value: impl Fn(&T) -> &Reading,
    ) -> fmt::Result {
        self.family(named, MetricType::Histogram, of, |mut metric, thing| {
            histogram(&mut metric, scale, value(thing))
        })
    }

    fn family<T>(
        &mut self,
        (name, help): Named,
        kind: MetricType,
        of: &[Labelled<T>],
        write: impl Fn(MetricEncoder<'_>, &T) -> fmt::Result,
    ) -> fmt::Result {
        if of.is_empty() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, thing) in of {
            if labels.is_empty() {
                // The library would write empty braces.
                return write(metric, thing);
            }
            write(metric.encode_family(labels)?, thing)?;
        }
        Ok(())
    }
}

fn histogram(metric: &mut MetricEncoder<'_>, scale: Scale, reading: &Reading) -> fmt::Result {
    let (lowest, highest) = scale.rungs;
    let rungs = ladder(reading, lowest, highest).into_iter();
    let seconds = |(bound, count): (u32, u64)| (f64::from(bound) / scale.per_second, count);
    let mut buckets: Vec<_> = rungs.map(seconds).collect();
    let count = reading.count();
    let inside: u64 = buckets.iter().map(|(_, count)| count).sum();
    buckets.push((f64::INFINITY, count - inside));
    let sum = reading.sum() / scale.per_second;
    metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}
