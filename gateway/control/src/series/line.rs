//! One line of a chart in its three spans, and what its points are made of.

use std::collections::VecDeque;

use gatewright_model::histogram::Reading;

use crate::overview::{ServerFigures, Totals};

/// Points of a span.
const POINTS: usize = 60;

/// How far back one looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Span {
    /// A minute, by the second.
    #[default]
    Minute,
    /// Five minutes, by five seconds.
    FiveMinutes,
    /// Fifteen minutes, by fifteen seconds.
    QuarterHour,
}

impl Span {
    /// From the shortest to the longest.
    pub(crate) const ALL: [Self; 3] = [Self::Minute, Self::FiveMinutes, Self::QuarterHour];

    /// How long a point is.
    pub(crate) fn seconds(self) -> u32 {
        match self {
            Self::Minute => 1,
            Self::FiveMinutes => 5,
            Self::QuarterHour => 15,
        }
    }

    /// How long all its points together are.
    pub(crate) fn minutes(self) -> u32 {
        self.seconds() * POINTS as u32 / 60
    }

    /// Its place in [`Self::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Whether a point ends with this second, counted from the start.
    pub(super) fn ends_with(self, second: u32) -> bool {
        second.is_multiple_of(self.seconds())
    }
}

/// The newest of what is put in, so many at most.
#[derive(Clone, Debug)]
pub(super) struct Ring<T>(VecDeque<T>);

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Ring<T> {
    pub(super) fn push(&mut self, value: T) {
        if self.0.len() == POINTS {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

/// What was measured in the time of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) requests_per_second: f32,
    pub(crate) errors_per_second: f32,
    /// Median, 90th and 99th percentile of the response times in
    /// microseconds; not a number where nothing was answered.
    quantiles: [f32; 3],
    /// Requests in flight when it ended.
    pub(crate) active: f32,
}

impl Point {
    /// Median, 90th and 99th percentile of the response times in
    /// microseconds; none where nothing was answered.
    pub(crate) fn quantiles(&self) -> [Option<f64>; 3] {
        let known = |value: f32| (!value.is_nan()).then_some(value.into());
        self.quantiles.map(known)
    }
}

/// What was counted in some time.
#[derive(Clone, Debug, Default)]
pub(super) struct Amount {
    seconds: f64,
    requests: u64,
    failures: u64,
    latency: Reading,
}

impl Amount {
    /// Nothing in so many seconds.
    pub(super) fn nothing(seconds: f64) -> Self {
        Self {
            seconds,
            ..Self::default()
        }
    }

    /// Of a server, between two readings of the same.
    pub(super) fn of_server(before: &ServerFigures, now: &ServerFigures, seconds: f64) -> Self {
        Self {
            seconds,
            requests: now.requests.saturating_sub(before.requests),
            failures: now.failures.saturating_sub(before.failures),
            latency: now.latency.since(&before.latency),
        }
    }

    /// Of all traffic, as clients saw it.
    pub(super) fn of_all(before: &Totals, now: &Totals, seconds: f64) -> Self {
        let [.., failed_before] = before.responses;
        let [.., failed_now] = now.responses;
        Self {
            seconds,
            requests: now.requests.saturating_sub(before.requests),
            failures: failed_now.saturating_sub(failed_before),
            latency: now.latency.since(&before.latency),
        }
    }

    /// Add what was counted in the same time elsewhere.
    pub(super) fn join(&mut self, other: &Self) {
        self.seconds = self.seconds.max(other.seconds);
        self.requests += other.requests;
        self.failures += other.failures;
        self.latency.merge(&other.latency);
    }

    /// Add what was counted in the time after it.
    fn append(&mut self, next: &Self) {
        let seconds = self.seconds + next.seconds;
        self.join(next);
        self.seconds = seconds;
    }

    fn point(&self, active: u64) -> Option<Point> {
        if self.seconds <= 0.0 {
            return None;
        }
        let by_second = |count: u64| (count as f64 / self.seconds) as f32;
        let quantile = |share| self.latency.quantile(share).unwrap_or(f64::NAN) as f32;
        Some(Point {
            requests_per_second: by_second(self.requests),
            errors_per_second: by_second(self.failures),
            quantiles: [0.5, 0.9, 0.99].map(quantile),
            active: active as f32,
        })
    }
}

/// The points of each span, and what the longer ones have gathered.
#[derive(Debug, Default)]
pub(super) struct Line {
    points: [Ring<Point>; Span::ALL.len()],
    gathered: [Amount; Span::ALL.len() - 1],
}

impl Line {
    /// Add a second's amount; a point of every span that ends with it.
    pub(super) fn add(&mut self, amount: &Amount, active: u64, second: u32) {
        let [seconds, longer @ ..] = &mut self.points;
        if let Some(point) = amount.point(active) {
            seconds.push(point);
        }
        let spans = Span::ALL.iter().skip(1);
        for ((span, points), gathered) in spans.zip(longer).zip(&mut self.gathered) {
            gathered.append(amount);
            if span.ends_with(second)
                && let Some(point) = std::mem::take(gathered).point(active)
            {
                points.push(point);
            }
        }
    }

    /// The last second, if it has been measured.
    pub(super) fn newest(&self) -> Option<Point> {
        self.points.first()?.0.back().copied()
    }

    /// Those of a span, oldest first.
    pub(super) fn points(&self, span: Span) -> Vec<Point> {
        self.points[span.index()].iter().copied().collect()
    }
}
