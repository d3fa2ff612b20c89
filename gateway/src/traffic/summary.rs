//! What the shoppers met with, as JSON and in words.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The figures of a time of shopping. Times are in milliseconds, from sending
/// a request to the end of its response, of the requests that were answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// Where they went.
    pub(crate) target: String,
    /// How many they were.
    pub(crate) shoppers: u32,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// Requests that came to an end, good or bad.
    pub(crate) requests: u64,
    /// Of these, how many failed: no connection, no whole response, or a
    /// status of 500 or more.
    pub(crate) failed: u64,
    /// Requests that were sent once more because their kept connection was
    /// just being closed; whatever came of them is counted above.
    pub(crate) retried: u64,
    /// Connections that were made.
    pub(crate) connections: u64,
    /// Requests a second.
    pub(crate) requests_per_second: f64,
    /// Half of the requests were at least this fast.
    pub(crate) p50_ms: f64,
    /// Nine in ten were.
    pub(crate) p90_ms: f64,
    /// Ninety-nine in a hundred were.
    pub(crate) p99_ms: f64,
    /// The slowest.
    pub(crate) max_ms: f64,
    /// Responses by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Responses by the server's name in the header `x-backend`.
    pub(crate) backends: BTreeMap<String, u64>,
    /// Failed requests by reason.
    pub(crate) failures: BTreeMap<String, u64>,
}

impl Summary {
    /// With the rate that follows from the requests and the time.
    pub(super) fn with_rate(mut self) -> Self {
        self.requests_per_second = match self.seconds {
            seconds if seconds > 0.0 => self.requests as f64 / seconds,
            _ => 0.0,
        };
        self
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} {} at {} for {:.1} s",
            self.shoppers,
            if self.shoppers == 1 {
                "shopper"
            } else {
                "shoppers"
            },
            self.target,
            self.seconds
        )?;
        writeln!(
            formatter,
            "  requests     {} ({:.1}/s on {} connections)",
            self.requests, self.requests_per_second, self.connections
        )?;
        writeln!(formatter, "  failed       {}", self.failed)?;
        if self.retried > 0 {
            writeln!(
                formatter,
                "  retried      {} (a kept connection was just being closed)",
                self.retried
            )?;
        }
        write!(
            formatter,
            "  time         p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            self.p50_ms, self.p90_ms, self.p99_ms, self.max_ms
        )?;
        table(formatter, "status", &self.statuses)?;
        table(formatter, "server", &self.backends)?;
        table(formatter, "failure", &self.failures)
    }
}

/// A line for each name, each with its share of the table's sum.
fn table<N: fmt::Display>(
    formatter: &mut fmt::Formatter<'_>,
    title: &str,
    rows: &BTreeMap<N, u64>,
) -> fmt::Result {
    let sum: u64 = rows.values().sum();
    for (name, count) in rows {
        let share = 100.0 * *count as f64 / sum as f64;
        write!(formatter, "\n  {title:<12} {name}: {count} ({share:.1} %)")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary {
            target: "http://a".to_owned(),
            shoppers: 1,
            seconds: 2.0,
            requests: 4,
            failed: 1,
            retried: 0,
            connections: 1,
            requests_per_second: 0.0,
            p50_ms: 1.0,
            p90_ms: 2.0,
            p99_ms: 3.0,
            max_ms: 4.0,
            statuses: BTreeMap::from([(200, 3), (502, 1)]),
            backends: BTreeMap::from([("a".to_owned(), 3)]),
            failures: BTreeMap::from([("status 502 Bad Gateway".to_owned(), 1)]),
        }
        .with_rate()
    }

    #[test]
    fn in_words_it_has_shares_and_reasons_and_leaves_out_what_did_not_happen() {
        let expected = "\
1 shopper at http://a for 2.0 s
  requests     4 (2.0/s on 1 connections)
  failed       1
  time         p50 1.00 ms, p90 2.00 ms, p99 3.00 ms, max 4.00 ms
  status       200: 3 (75.0 %)
  status       502: 1 (25.0 %)
  server       a: 3 (100.0 %)
  failure      status 502 Bad Gateway: 1 (100.0 %)";
        assert_eq!(summary().to_string(), expected);
    }

    #[test]
    fn as_json_it_is_one_line_with_names_in_snake_case() {
        let text = serde_json::to_string(&summary()).expect("it can be written");
        assert!(!text.contains('\n'));
        for part in [
            "\"requests\":4",
            "\"failed\":1",
            "\"requests_per_second\":2.0",
            "\"p99_ms\":3.0",
            "\"statuses\":{\"200\":3,\"502\":1}",
            "\"backends\":{\"a\":3}",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn no_time_is_no_rate() {
        let summary = Summary {
            seconds: 0.0,
            ..summary()
        };
        assert!(summary.with_rate().requests_per_second.abs() < f64::EPSILON);
    }
}
