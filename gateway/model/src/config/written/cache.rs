//! The keys of what is kept of servers' answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::{Period, Size};

/// What pools that cache share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// The most memory that kept answers take, of all pools together: 1 MiB to
    /// 64 GiB.
    pub memory: Size,
}

/// Keeping the answers of a pool's servers (RFC 9111).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PoolCache {
    /// The largest body that is kept: 1 KiB to a sixteenth of `cache.memory`.
    pub max_object: Size,
    /// How long an answer is fresh that says nothing of it: 1 s to 1 year.
    /// Default: a tenth of the time since it was last modified, 1 day at the most.
    pub default_ttl: Option<Period>,
    /// How long an answer is used beyond its freshness while servers fail, where it
    /// does not say so itself: up to 30 days.
    pub stale_if_error: Period,
    /// Whether answers are kept that set cookies.
    pub store_cookies: bool,
    /// How long a request waits for the same answer that another has been sent
    /// for: up to 1 min; `"0s"` sends each to a server.
    pub wait: Period,
}
