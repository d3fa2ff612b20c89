//! The keys of a pool and its servers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Binding, Breaker, Compression, Dns, Health, Hedge, PoolCache, Probe, Queue, ServerHealth,
    SwitchOr, TextOr,
};
use crate::config::defaults;
use crate::config::quantity::Period;

/// Servers that serve the same thing, and how one of them is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pool {
    /// The plugin that chooses the server: a name, or a table with its
    /// configuration.
    pub balancer: TextOr<Binding>,
    /// The plugin that keeps a session on its server: a name, or a table with
    /// its configuration. Default: none.
    pub affinity: Option<TextOr<Binding>>,
    /// What the balancer's key is a hash of: `client-address`, `path`,
    /// `header:NAME` or `cookie:NAME`.
    #[schemars(regex(pattern = r"^(client-address|path|(header|cookie):.+)$|\$\{.+\}"))]
    pub hash_key: String,
    /// Active health checks; `false` switches them off.
    pub health: SwitchOr<Health>,
    /// Asking servers how busy they are, for balancers such as `prequal`. Default:
    /// they are not asked.
    pub probe: Option<Probe>,
    /// When a server that fails requests gets no more for a while; `false` for
    /// never.
    pub breaker: SwitchOr<Breaker>,
    /// The share of its servers, in percent, of which at least so many have to be
    /// well: 0 to 100. With fewer, all get requests as if they were. 0 is never.
    #[schemars(range(max = 100))]
    pub panic_threshold: u8,
    /// How long a server that was added or has recovered takes to come to its
    /// whole share of the requests: up to 1 h; `"0s"` is at once.
    pub slow_start: Period,
    /// Trying again on another server, before the first byte of a response.
    pub retries: Retries,
    /// The most requests in flight on each server at a time, over all workers:
    /// 1 to 1,000,000. Default: no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_active_per_server: Option<u32>,
    /// The same of all its servers together. Default: no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_active: Option<u32>,
    /// Requests that wait while every server has as many as it may have;
    /// `false` lets none wait.
    pub queue: SwitchOr<Queue>,
    /// A second server is asked, too, when the first does not answer soon, for
    /// idempotent requests without a body. Default: none is.
    pub hedge: Option<Hedge>,
    /// How long each address of a server is given to accept a connection: 10 ms
    /// to 10 min.
    pub connect_timeout: Period,
    /// From a request's head to its response's head, all attempts together: 10 ms
    /// to 1 day; `"0s"` is no limit. Bodies may take as long as they move.
    pub request_timeout: Period,
    /// The protocols that a client may switch its connection to, such as
    /// `websocket`; `"*"` allows any. Never HTTP or TLS.
    pub upgrades: Vec<String>,
    /// The protocol that its servers speak.
    pub protocol: Protocol,
    /// TLS towards its servers: `true` for what the system trusts, or a table.
    pub tls: SwitchOr<ServerTls>,
    /// The version of the PROXY protocol in which servers are told, at the
    /// beginning of a connection, which client it is for. Each request then has
    /// a connection of its own. Default: they are not told.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Another pool that gets copies of requests: its name, or a table. What its
    /// servers answer is not used. Default: none.
    pub mirror: Option<TextOr<Mirror>>,
    /// Whether it is closed for work: requests are answered with 503.
    pub maintenance: bool,
    /// A pool whose servers are asked whether a request may go on. Default: none
    /// is.
    pub forward_auth: Option<ForwardAuth>,
    /// Which web pages may use it from browsers. Default: that is left to its
    /// servers.
    pub cors: Option<Cors>,
    /// Delays and failures on purpose, for tests. Default: none.
    pub faults: Option<Faults>,
    /// Keeping what its servers answer: `true`, or a table. Default: nothing is
    /// kept.
    pub cache: SwitchOr<PoolCache>,
    /// Compressing what its servers answer, for clients that accept it: `true`,
    /// or a table. Default: nothing is compressed.
    pub compression: SwitchOr<Compression>,
    /// Idle connections that each worker keeps to each server: 0 to 10,000.
    #[schemars(range(max = 10_000))]
    pub idle_connections: u32,
    /// The servers, as `"host:port"`, `"unix:/PATH"` or as tables: up to 4096, with those of
    /// `servers_file` and `dns`, and at least one where there is neither.
    #[schemars(length(max = 4096))]
    pub servers: Vec<TextOr<Server>>,
    /// A file with more servers, as `backends` or `servers` in TOML, YAML or
    /// JSON, relative to this one. It is watched, and may list none. Default:
    /// none.
    pub servers_file: Option<String>,
    /// More servers, which are found by DNS. Default: none.
    pub dns: Option<Dns>,
}

/// Another pool that gets copies of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// Which pool.
    pub pool: String,
    /// The share of requests that are copied, in percent: 1 to 100.
    #[serde(default = "defaults::everything")]
    #[schemars(range(min = 1, max = 100))]
    pub percent: u8,
}

/// A pool whose servers are asked whether a request may go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardAuth {
    /// Which pool.
    pub pool: String,
    /// The path that is asked for.
    pub path: String,
    /// The headers of the answer that the request gets, in the place of any that
    /// its client sent. Default: none.
    #[serde(default)]
    pub headers: Vec<String>,
}

/// Which web pages may use a pool from browsers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// Whose pages, such as `https://app.example`; `"*"` for anybody's. At least
    /// one.
    #[schemars(length(min = 1))]
    pub origins: Vec<String>,
    /// The methods that they may use beside GET, HEAD and POST.
    pub methods: Vec<String>,
    /// The request headers that they may send beside those that any page may.
    pub headers: Vec<String>,
    /// The response headers that they may read beside those that any page may.
    pub expose: Vec<String>,
    /// Whether cookies and credentials come along.
    pub credentials: bool,
    /// How long a browser may keep the answer to a preflight: up to 1 day.
    pub max_age: Period,
}

/// Delays and failures on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How long requests are held up: 1 ms to 1 h. Default: not at all.
    pub delay: Option<Period>,
    /// The share of requests that are held up, in percent: 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub delay_percent: u8,
    /// The status that requests are answered with instead of being forwarded:
    /// 400 to 599. Default: none is.
    #[schemars(range(min = 400, max = 599))]
    pub abort: Option<u16>,
    /// The share of requests that are answered so, in percent: 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub abort_percent: u8,
}

/// The protocol that servers speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by ALPN over TLS, by prior knowledge in the clear.
    Http2,
    /// HTTP/2 or HTTP/1.1, whichever a server prefers; over TLS alone.
    Auto,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// How connections to the servers of a pool speak TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTls {
    /// Certificates of authorities in PEM, relative to the file: one of them has
    /// to have signed a server's certificate. Default: those that the system
    /// trusts.
    pub ca: Option<String>,
    /// The name that servers are asked for and have to prove. Default: the host
    /// of each.
    pub name: Option<String>,
    /// The certificate chain in PEM that is shown to servers that ask for one,
    /// leaf first, relative to the file. Default: none is shown.
    pub cert: Option<String>,
    /// Its private key in PEM (PKCS#8, PKCS#1 or SEC1), relative to the file.
    pub key: Option<String>,
    /// Whether servers have to prove who they are; `false` lets anyone in
    /// between read and change everything.
    pub verify: bool,
}

/// Trying again on another server, before the first byte of a response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// Attempts in all, the first included: 1 to 10; 1 is no retry.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// Retries as a share of the requests to the pool: 0 to 1. It keeps retries
    /// from burying servers that are merely slow.
    #[schemars(range(min = 0, max = 1))]
    pub budget: f64,
    /// From sending an attempt's head to the response's head: 10 ms to 1 h.
    pub per_try_timeout: Period,
    /// Statuses of a response after which an idempotent request is tried on
    /// another server: 400 to 599. Default: none.
    #[schemars(inner(range(min = 400, max = 599)))]
    pub statuses: Vec<u16>,
}

/// A server of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Host name or address; or `unix:` and the whole path of a Unix socket.
    pub host: String,
    /// TCP port: 1 to 65535. A Unix socket has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Relative share of the work: 0 to 65535; 0 takes none.
    #[serde(default = "defaults::weight")]
    pub weight: u16,
    /// Labels for plugins to read, such as `zone`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether it takes no new work, but for sessions that are its own.
    #[serde(default)]
    pub drain: bool,
    /// The most requests in flight on it at a time, where that differs from its
    /// pool's `max_active_per_server`: 1 to 1,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_active: Option<u32>,
    /// How it is checked, where that differs from its pool's `health`.
    #[serde(default)]
    pub health: ServerHealth,
}
