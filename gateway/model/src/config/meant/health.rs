//! What is thought of servers: by checks, and by how requests end.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::CheckKind;

/// How a pool's servers are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What a check is.
    pub kind: CheckKind,
    /// What is asked for by GET, where the check is of HTTP.
    pub path: Arc<str>,
    /// Which statuses are healthy, where the check is of HTTP.
    pub statuses: Statuses,
    /// The service that is asked about, where the check is of gRPC; empty for
    /// the server as a whole.
    pub service: Arc<str>,
    /// From one check of a server to the next.
    pub interval: Duration,
    /// For connection and answer together.
    pub timeout: Duration,
    /// Passed checks in a row that make an unhealthy server healthy: 1 or more.
    pub rise: u32,
    /// Failed checks in a row that make a healthy server unhealthy: 1 or more.
    pub fall: u32,
    /// How far an interval may be from `interval` by chance, in percent: 0 to 50.
    pub jitter: u8,
}

/// How a pool's servers are asked how busy they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is asked for by GET.
    pub path: Arc<str>,
    /// From one question to the next, and the longest that an answer may take.
    pub interval: Duration,
}

impl HealthCheck {
    /// The path that is asked for, where one is.
    pub fn asked_path(&self) -> Option<&str> {
        (self.kind == CheckKind::Http).then_some(&*self.path)
    }

    /// The pause before the next check; `chance` is from 0 to 1.
    pub fn pause(&self, chance: f64) -> Duration {
        let jitter = f64::from(self.jitter) / 100.0;
        self.interval.mul_f64(1.0 + jitter * (2.0 * chance - 1.0))
    }
}

impl fmt::Display for HealthCheck {
    /// In words, such as `GET /health every 5s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            CheckKind::Http => write!(f, "GET {}", self.path)?,
            CheckKind::Tcp => f.write_str("connect")?,
            CheckKind::Grpc if self.service.is_empty() => f.write_str("gRPC health")?,
            CheckKind::Grpc => write!(f, "gRPC health of {}", self.service)?,
        }
        write!(f, " every {}", humantime::format_duration(self.interval))
    }
}

/// Statuses, as ranges; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(pub(crate) Arc<[RangeInclusive<u16>]>);

impl Statuses {
    /// Whether a status is one of them.
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

/// When a server that fails requests gets no more for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row that open a circuit: 1 or more.
    pub fail_threshold: u32,
    /// Failures and errors in a row that open a circuit: 1 or more.
    pub error_threshold: u32,
    /// How long a circuit stays open for the first time.
    pub open_time: Duration,
    /// How long it stays open at most.
    pub max_open_time: Duration,
    /// The most of a pool's servers that may have an open circuit, in percent: 1
    /// to 100.
    pub max_ejected: u8,
}

impl Breaker {
    /// How long a circuit stays open that has opened so many times in a row.
    pub fn open_time(&self, in_a_row: u32) -> Duration {
        let longest = self.max_open_time;
        self.open_time
            .checked_mul(in_a_row)
            .unwrap_or(longest)
            .min(longest)
    }

    /// How many circuits may be open where so many servers could take work: never
    /// all.
    pub fn allowed(&self, able: usize) -> usize {
        let share = (able * usize::from(self.max_ejected)).div_ceil(100);
        share.min(able.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKER: Breaker = Breaker {
        fail_threshold: 3,
        error_threshold: 5,
        open_time: Duration::from_secs(5),
        max_open_time: Duration::from_secs(60),
        max_ejected: 50,
    };

    #[test]
    fn an_interval_is_off_by_its_jitter_at_most() {
        let check = HealthCheck {
            kind: CheckKind::Tcp,
            path: "/health".into(),
            statuses: Statuses([].into()),
            service: "".into(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            rise: 1,
            fall: 1,
            jitter: 10,
        };
        let seconds = [0.0, 0.5, 1.0].map(|chance| check.pause(chance).as_secs_f64());
        assert_eq!(seconds, [9.0, 10.0, 11.0]);
    }

    #[test]
    fn each_opening_in_a_row_lasts_longer_up_to_the_longest() {
        let seconds = |in_a_row| BREAKER.open_time(in_a_row).as_secs();
        assert_eq!([1, 2, 12, 13, u32::MAX].map(seconds), [5, 10, 60, 60, 60]);
    }

    #[test]
    fn the_last_server_is_never_given_up() {
        let all = Breaker {
            max_ejected: 100,
            ..BREAKER
        };
        assert_eq!(
            [0, 1, 2, 3, 10].map(|able| all.allowed(able)),
            [0, 0, 1, 2, 9]
        );
        assert_eq!(
            [0, 1, 2, 3, 10].map(|able| BREAKER.allowed(able)),
            [0, 0, 1, 2, 5]
        );
    }
}
