//! What the table shows: plain figures, gathered by whoever shows it.

use std::time::Duration;

/// Everything that is shown at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Lines that say where the gateway is and what to try.
    pub(crate) about: Vec<String>,
    /// All servers together.
    pub(crate) totals: Totals,
    /// A row for each server.
    pub(crate) servers: Vec<ServerRow>,
    /// A row for each plugin that decides.
    pub(crate) plugins: Vec<PluginRow>,
    /// What has happened lately, the oldest first; as many of the newest are
    /// shown as there is room for.
    pub(crate) notes: Vec<String>,
    /// What the keys do.
    pub(crate) keys: &'static str,
}

/// The figures of all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    /// Since the start.
    pub(crate) elapsed: Duration,
    /// Requests that came to an end, good or bad.
    pub(crate) requests: u64,
    /// Of these, how many failed.
    pub(crate) failed: u64,
    /// Requests a second, lately.
    pub(crate) rate: f64,
    /// The median time of a request, in milliseconds.
    pub(crate) p50_ms: f64,
    /// Ninety-nine in a hundred were at least this fast, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// A server.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerRow {
    /// Its name.
    pub(crate) id: String,
    /// Whether it takes requests.
    pub(crate) health: Health,
    /// Requests that are under way.
    pub(crate) active: u64,
    /// Requests since the start.
    pub(crate) requests: u64,
    /// Requests a second, lately.
    pub(crate) rate: f64,
    /// Requests that failed there, also those that were answered by another
    /// server afterwards.
    pub(crate) failed: u64,
    /// The median time of a response, in milliseconds.
    pub(crate) p50_ms: f64,
    /// Ninety-nine in a hundred were at least this fast, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// Whether a server takes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Health {
    /// Not known yet.
    #[default]
    Unknown,
    /// It does.
    Up,
    /// Only those of sessions that it has.
    Draining,
    /// Its requests have failed: it gets none, or one at a time on trial.
    Broken,
    /// It does not.
    Down,
}

impl Health {
    /// In one word.
    pub(in crate::demo) fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Broken => "ejected",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }
}

/// A plugin in its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct PluginRow {
    /// The plugin's name.
    pub(crate) name: String,
    /// What it decides: router, affinity, balancer.
    pub(crate) role: String,
    /// The pool that it decides for; none when for all.
    pub(crate) pool: Option<String>,
    /// The version that decides.
    pub(crate) version: String,
    /// Decisions since the start.
    pub(crate) decisions: u64,
    /// Decisions a second, lately.
    pub(crate) rate: f64,
    /// How long a decision takes, in nanoseconds: the median.
    pub(crate) ns_per_decision: f64,
    /// Decisions that somebody else had to make in its stead.
    pub(crate) faults: u64,
    /// In a word: active, quarantined.
    pub(crate) state: String,
}

#[cfg(test)]
impl Figures {
    /// A demo with two servers and two plugins.
    pub(super) fn sample() -> Self {
        let server = |id: &str, health, requests| ServerRow {
            id: id.to_owned(),
            health,
            active: 3,
            requests,
            rate: 137.4,
            failed: 0,
            p50_ms: 1.25,
            p99_ms: 8.5,
        };
        let plugin = |name: &str, role: &str, pool: Option<&str>, faults| PluginRow {
            name: name.to_owned(),
            role: role.to_owned(),
            pool: pool.map(str::to_owned),
            version: "1f0c9a2b".to_owned(),
            decisions: 4321,
            rate: 412.0,
            ns_per_decision: 431.7,
            faults,
            state: "active".to_owned(),
        };
        Self {
            about: vec!["https://localhost:8443".to_owned()],
            totals: Totals {
                elapsed: Duration::from_millis(65_400),
                requests: 4321,
                failed: 2,
                rate: 412.0,
                p50_ms: 1.25,
                p99_ms: 8.5,
            },
            servers: vec![
                server("backend-3001", Health::Up, 4300),
                server("backend-3002", Health::Down, 21),
            ],
            plugins: vec![
                plugin("path-router", "router", None, 0),
                plugin("least-connections", "balancer", Some("web"), 1),
            ],
            notes: vec!["backend-3002 is down".to_owned()],
            keys: "q: end",
        }
    }
}
