//! What the shoppers count together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use http::{HeaderValue, StatusCode};

use super::Summary;
use super::failure::Failure;

/// How many names of servers, or reasons of failures, are told apart; they
/// come from strangers, so that the tables need an end.
const MOST_NAMES: usize = 1000;

/// Where what is beyond [`MOST_NAMES`] is counted.
const OTHERS: &str = "(others)";

/// The counts since the start.
pub(super) struct Tally {
    started: Instant,
    shoppers: u32,
    connections: u64,
    requests: u64,
    failed: u64,
    retried: u64,
    statuses: BTreeMap<u16, u64>,
    servers: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
    /// Of answered requests, in microseconds, to three digits.
    times: Histogram<u64>,
}

impl Tally {
    pub(super) fn new(shoppers: u32) -> Self {
        Self {
            started: Instant::now(),
            shoppers,
            connections: 0,
            requests: 0,
            failed: 0,
            retried: 0,
            statuses: BTreeMap::new(),
            servers: BTreeMap::new(),
            failures: BTreeMap::new(),
            times: histogram(),
        }
    }

    /// A connection was made.
    pub(super) fn connect(&mut self) {
        self.connections += 1;
    }

    /// A request is being sent once more.
    pub(super) fn retry(&mut self) {
        self.retried += 1;
    }

    /// A request was answered, by the server that names itself.
    pub(super) fn answer(
        &mut self,
        status: StatusCode,
        server: Option<&HeaderValue>,
        time: Duration,
    ) {
        self.requests += 1;
        *self.statuses.entry(status.as_u16()).or_default() += 1;
        if let Some(server) = server {
            count(
                &mut self.servers,
                &String::from_utf8_lossy(server.as_bytes()),
            );
        }
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.times.saturating_record(micros);
    }

    /// A request that was answered has failed all the same.
    pub(super) fn blame(&mut self, failure: &Failure) {
        self.failed += 1;
        count(&mut self.failures, &failure.to_string());
    }

    /// A request has failed without a whole answer.
    pub(super) fn fail(&mut self, failure: &Failure) {
        self.requests += 1;
        self.blame(failure);
    }

    /// The figures until now.
    pub(super) fn summary(&self, target: &str) -> Summary {
        let quantile = |share| milliseconds(self.times.value_at_quantile(share));
        Summary {
            target: target.to_owned(),
            shoppers: self.shoppers,
            seconds: self.started.elapsed().as_secs_f64(),
            requests: self.requests,
            failed: self.failed,
            retried: self.retried,
            connections: self.connections,
            requests_per_second: 0.0,
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            max_ms: milliseconds(self.times.max()),
            statuses: self.statuses.clone(),
            backends: self.servers.clone(),
            failures: self.failures.clone(),
        }
        .with_rate()
    }
}

#[expect(
    clippy::expect_used,
    reason = "three digits of any range are a valid histogram"
)]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, Duration::from_secs(3600).as_micros() as u64, 3)
        .expect("the bounds are constants")
}

fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

fn count(table: &mut BTreeMap<String, u64>, name: &str) {
    let name = if table.contains_key(name) || table.len() < MOST_NAMES {
        name
    } else {
        OTHERS
    };
    // The name is copied only when it is new.
    match table.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(table.insert(name.to_owned(), 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(tally: &mut Tally, status: u16, server: &'static str, micros: u64) {
        let status = StatusCode::from_u16(status).expect("a status");
        let server = HeaderValue::from_static(server);
        tally.answer(status, Some(&server), Duration::from_micros(micros));
    }

    #[test]
    fn requests_are_counted_by_status_server_and_reason() {
        let mut tally = Tally::new(2);
        answered(&mut tally, 200, "a", 1000);
        answered(&mut tally, 200, "b", 1000);
        answered(&mut tally, 503, "b", 1000);
        tally.blame(&Failure::Status(StatusCode::SERVICE_UNAVAILABLE));
        tally.fail(&Failure::TimedOut);
        let summary = tally.summary("http://a");
        assert_eq!((summary.requests, summary.failed), (4, 2));
        assert_eq!(summary.statuses, BTreeMap::from([(200, 2), (503, 1)]));
        let backends = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(summary.backends, backends);
        let reasons: Vec<_> = summary.failures.keys().map(String::as_str).collect();
        assert_eq!(
            reasons,
            [
                "status 503 Service Unavailable",
                "the response did not end in time"
            ]
        );
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let mut tally = Tally::new(1);
        for milliseconds in 1..=1000 {
            answered(&mut tally, 200, "a", milliseconds * 1000);
        }
        let summary = tally.summary("http://a");
        for (measured, exact) in [
            (summary.p50_ms, 500.0),
            (summary.p90_ms, 900.0),
            (summary.p99_ms, 990.0),
            (summary.max_ms, 1000.0),
        ] {
            assert!(
                (measured - exact).abs() <= exact / 1000.0,
                "{measured} {exact}"
            );
        }
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let mut table = BTreeMap::new();
        for number in 0..MOST_NAMES + 5 {
            count(&mut table, &number.to_string());
        }
        assert_eq!(table.len(), MOST_NAMES + 1);
        assert_eq!(table[OTHERS], 5);
    }
}
