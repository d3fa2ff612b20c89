//! The router's configuration as it is written.

use std::collections::BTreeMap;

use gatewright_matching::Listed;
use serde::Deserialize;

/// The whole configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The routes; their order matters only between equals.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// The pool of a request that no route matches. Without it the gateway
    /// decides.
    pub default: Option<String>,
}

/// One route: what it matches, and what becomes of the request. It has exactly
/// one of `pool`, `split`, `redirect` and `answer`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `/exact`, `/prefix/*`, `/wild/*/card`, or `~regular expression`; every
    /// path by default.
    pub path: Option<String>,
    /// The host asked for, such as `example.com` or `*.example.com`.
    #[serde(default, alias = "hosts")]
    pub host: Listed,
    /// The methods.
    #[serde(default, alias = "methods")]
    pub method: Listed,
    /// Values of headers: exact, `*` for any, or `~regular expression`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Values of query parameters, as those of headers.
    #[serde(default)]
    pub query: BTreeMap<String, String>,

    /// The pool to forward to.
    pub pool: Option<String>,
    /// Pools to share the requests out to.
    pub split: Option<Vec<Share>>,
    /// Where to send the client.
    pub redirect: Option<Redirect>,
    /// What to answer.
    pub answer: Option<Answer>,

    /// The path that the server sees; `*` stands for what the path's last `*`
    /// matched, `$1` for a regular expression's first group.
    pub rewrite: Option<String>,
    /// What to take from the front of the path that the server sees.
    pub strip_prefix: Option<String>,
}

/// A pool's share of a split.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The pool.
    pub pool: String,
    /// Its share of the clients, relative to the others; 0 for none.
    pub weight: u32,
}

/// A redirect: `to` another place, or to the same place by `https`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// A path or a URL; filled in as `rewrite` is. The query is kept unless it
    /// has one of its own.
    pub to: Option<String>,
    /// True, or the port that serves HTTPS.
    pub https: Option<Https>,
    /// 301, 302, 303, 307 or 308. By default 308 to HTTPS, else 307.
    pub status: Option<u16>,
}

/// True, or a port.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected true or a port")]
pub enum Https {
    /// On the usual port.
    Enabled(bool),
    /// On this port.
    Port(u16),
}

/// A direct answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// The body; none by default.
    pub body: Option<String>,
    /// The body's media type; plain text by default.
    pub content_type: Option<String>,
}
