//! The keys of the gateway itself: admin, workers, limits, timeouts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WorkerCount;
use crate::config::quantity::{Period, Size};

/// What becomes of a balancer that does not pass the battery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Certify {
    /// Nobody looks.
    #[default]
    Off,
    /// It decides all the same, and the log and the events tell.
    Warn,
    /// It is refused.
    Require,
}

/// The admin listener and the data folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Its address. Any but a loopback address needs an access token to be there
    /// before the start.
    pub listen: String,
    /// The folder for compiled plugins and what else outlives a restart,
    /// relative to the file. It is made when it is missing.
    pub data: String,
    /// Whose web pages may use the API beside the gateway's own, such as
    /// `"https://ops.example"`. Default: nobody's.
    pub origins: Vec<String>,
    /// Public keys of minisign, such as `"RW…"`: only components that one of
    /// them signed are let in. Default: none is needed.
    pub plugin_keys: Option<Vec<String>>,
    /// Whether a balancer's version is judged by `gatewright plugin certify`
    /// before the API has it decide for all. Default: `"off"`.
    pub certify_balancers: Certify,
    /// How registries are spoken to that components are fetched from.
    pub registries: Registries,
    /// How it speaks TLS. Default: it speaks plain HTTP.
    pub tls: Option<AdminTls>,
}

/// How registries are spoken to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Registries {
    /// A file of logins as `docker login` writes it, relative to the file.
    /// Default: that of the user who runs the gateway, if there is one.
    pub auth: Option<String>,
    /// Those that are spoken to in the clear, as `"host:port"`. Default: those on
    /// a loopback address alone.
    pub plain_http: Vec<String>,
}

/// How the admin listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminTls {
    /// The certificate chain in PEM, leaf first, relative to the file.
    pub cert: String,
    /// The private key in PEM (PKCS#8, PKCS#1 or SEC1), relative to the file.
    pub key: String,
    /// Certificates of authorities in PEM, relative to the file: only clients
    /// with a certificate that one of them signed are let in. Default: clients
    /// need no certificate.
    #[serde(default)]
    pub client_ca: Option<String>,
}

/// The threads that carry traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Workers {
    /// `"auto"`, one for each processor, or 1 to 1024. The environment variable
    /// `WORKER_COUNT` replaces it.
    pub count: WorkerCount,
}

/// Sizes that nobody may exceed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The head of a request: 8 KiB to 1 MiB. Beyond it: status 431.
    pub request_head: Size,
    /// Header lines in a request: 1 to 1000. Beyond it: status 431.
    #[schemars(range(min = 1, max = 1000))]
    pub request_headers: u32,
    /// The body of a request: up to 1 TiB. Beyond it: status 413. Default: no
    /// limit.
    pub request_body: Option<Size>,
    /// The head of a server's response: 1 KiB to 1 MiB. Beyond it: status 502.
    pub response_head: Size,
    /// How much of a request's body is kept to be sent again on a retry: up to
    /// 16 MiB. A request with a longer body is not retried once it was sent.
    pub replay_body: Size,
    /// Client connections open at a time on each worker: 1 to 1,000,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// Requests in flight at a time on each worker: 1 to 1,000,000. Beyond it:
    /// status 503, before any plugin is asked. Default: no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: Option<u32>,
}

/// Waiting times that are not a pool's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last, and for a TLS
    /// handshake: 10 ms to 10 min.
    pub request_head: Period,
    /// How long a client's connection may be open with no request on it: 10 ms
    /// to 1 day.
    pub idle: Period,
    /// How long a body may stand still, in either direction: 10 ms to 1 day.
    pub body_idle: Period,
    /// How long nothing may come from either side of a connection that has
    /// switched protocols, such as a WebSocket: 10 ms to 1 day; `"0s"` is no
    /// limit.
    pub tunnel_idle: Period,
    /// How long requests in flight may go on after a stop was asked for: up to
    /// 1 h.
    pub drain: Period,
}
