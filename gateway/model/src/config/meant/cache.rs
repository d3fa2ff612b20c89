//! Which answers of a pool's servers are kept, and for how long.

use std::time::Duration;

/// Which answers of a pool's servers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheRules {
    /// The largest body, in bytes.
    pub max_object: u64,
    /// How long an answer is fresh that says nothing of it; none: for a share of
    /// the time since it was last modified.
    pub default_ttl: Option<Duration>,
    /// How long one is used beyond its freshness while servers fail.
    pub stale_if_error: Duration,
    /// Whether those that set cookies are kept.
    pub store_cookies: bool,
    /// How long a request waits for the answer to another; zero: not at all.
    pub wait: Duration,
}
