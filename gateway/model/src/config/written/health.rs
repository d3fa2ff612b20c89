//! The keys of what is thought of servers: by checks, and by how requests end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::config::quantity::Period;

/// How a pool's servers are checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// What a check is.
    #[serde(rename = "type")]
    pub kind: CheckKind,
    /// The path to ask for, where `type` is `http`.
    pub path: String,
    /// The statuses of a healthy server, where `type` is `http`, such as
    /// `"200-299"` or `"200, 204, 301-308"`: 200 to 599.
    pub status: String,
    /// The service to ask about, where `type` is `grpc`; `""` is the server as a
    /// whole.
    pub service: String,
    /// From one check of a server to the next: 10 ms to 1 h. The environment
    /// variable `HEALTH_CHECK_INTERVAL` replaces it in every pool that checks.
    pub interval: Period,
    /// For connection and answer together: 10 ms to 10 min.
    pub timeout: Period,
    /// Passed checks in a row that bring a server back: 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub rise: u32,
    /// Failed checks in a row that take a server out: 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub fall: u32,
    /// How far an interval may be from `interval` by chance, in percent, so that
    /// checks spread: 0 to 50.
    #[schemars(range(max = 50))]
    pub jitter: u8,
}

/// How a pool's servers are asked how busy they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The path that is asked for.
    pub path: String,
    /// From one question to the next, and for an answer: 20 ms to 1 min.
    #[serde(default = "defaults::probe_interval")]
    pub interval: Period,
}

/// What a check of a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// GET of a path, as requests are sent to the pool.
    #[default]
    Http,
    /// A connection is made, and nothing said.
    Tcp,
    /// A call of `grpc.health.v1.Health/Check`.
    Grpc,
}

/// How a server is checked, where that differs from its pool's `health`. A pool
/// that is not checked has none of it checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerHealth {
    /// What a check is. Default: as its pool's.
    #[serde(rename = "type")]
    pub kind: Option<CheckKind>,
    /// The path to ask for. Default: the pool's.
    pub path: Option<String>,
    /// The statuses of a healthy server. Default: the pool's.
    pub status: Option<String>,
    /// The service to ask about. Default: the pool's.
    pub service: Option<String>,
    /// From one check to the next: 10 ms to 1 h. Default: the pool's.
    pub interval: Option<Period>,
    /// For connection and answer together: 10 ms to 10 min. Default: the pool's.
    pub timeout: Option<Period>,
    /// Passed checks in a row that bring it back: 1 to 100. Default: the pool's.
    #[schemars(range(min = 1, max = 100))]
    pub rise: Option<u32>,
    /// Failed checks in a row that take it out: 1 to 100. Default: the pool's.
    #[schemars(range(min = 1, max = 100))]
    pub fall: Option<u32>,
    /// How far an interval may be from `interval` by chance, in percent: 0 to 50.
    /// Default: the pool's.
    #[schemars(range(max = 50))]
    pub jitter: Option<u8>,
}

/// When a server that fails requests gets no more for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Requests in a row without a usable answer, which open its circuit: no
    /// connection, a broken one, no answer in time, or status 502, 503 or 504. 1
    /// to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub fail_threshold: u32,
    /// The same of requests that also count if they were answered with any other
    /// status of 500 or above: 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub error_threshold: u32,
    /// How long it gets no request when its circuit has opened: 10 ms to 1 h. Each
    /// opening in a row makes it longer by as much.
    pub open_time: Period,
    /// The longest that this may become: 10 ms to 1 day, and `open_time` at least.
    pub max_open_time: Period,
    /// The most of a pool's servers that may have an open circuit at once, in
    /// percent: 1 to 100. The last one that may take requests always stays.
    #[schemars(range(min = 1, max = 100))]
    pub max_ejected: u8,
}
