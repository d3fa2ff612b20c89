//! The configuration as meant: nothing optional that has a default, every
//! duration and address parsed, every reference known to exist.

mod access_log;
mod acme;
mod binding;
mod cache;
mod cluster;
mod compression;
mod dns;
mod health;
mod listener;
mod overload;
mod pages;
mod peers;
mod tls;
mod tracing;
mod upgrades;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use crate::config::written::{CheckKind, Coding, Levels, ProxyProtocol};
pub use access_log::{AccessLog, Field, Layout, LogTarget, Piece};
pub use acme::{Acme, AcmeChallenge, ExternalAccount, Ordered};
pub use binding::{Binding, Canary, OnFault, PluginSource, Policy, Shadow};
pub use cache::CacheRules;
pub use cluster::Cluster;
pub use compression::{Compression, MediaTypes};
pub use dns::Dns;
pub use health::{Breaker, HealthCheck, Probe, Statuses};
pub use listener::{Http3, Listener, Passthrough};
pub use overload::{Overload, Queue};
pub use pages::{ErrorPages, Page};
pub use peers::Peers;
pub use tls::{
    AdminTls, CertificateFiles, Certificates, ClientAuth, Hsts, Offered, PemFile, ServerTls, Tls,
    TlsVersion,
};
pub use tracing::Tracing;
pub use upgrades::Upgrades;

use crate::config::written::Certify;
use crate::id::{EndpointId, PluginName, PoolIndex, PoolName};
use crate::signature::PluginKey;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The admin listener and the data folder.
    pub admin: Admin,
    /// Which cluster it is in; none: it is alone.
    pub cluster: Option<Cluster>,
    /// How many worker threads: at least 1.
    pub workers: usize,
    /// Where clients connect; at least one.
    pub listeners: Vec<Listener>,
    /// How certificates are ordered; none: no listener asks for one.
    pub acme: Option<Acme>,
    /// Request policies in their order, then response policies in theirs.
    pub policies: Vec<Policy>,
    /// Which plugin routes.
    pub router: Binding,
    /// Where requests go that the router has no opinion on, or faults on: the
    /// pool named by `default_pool`, or the only pool there is.
    pub default_pool: Option<PoolIndex>,
    /// The pools, by [`PoolIndex`].
    pub pools: Vec<Arc<PoolConfig>>,
    /// Where the plugins that are bound come from.
    pub plugins: BTreeMap<PluginName, PluginSource>,
    /// The most memory that kept answers take, in bytes.
    pub cache_memory: u64,
    /// Sizes that nobody may exceed.
    pub limits: Limits,
    /// Waiting times that are not a pool's.
    pub timeouts: Timeouts,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Peers,
    /// What is shown for the gateway's own errors.
    pub error_pages: ErrorPages,
    /// A line for each request; none: none is written.
    pub access_log: Option<Arc<AccessLog>>,
    /// Traces of requests; none: none are made.
    pub tracing: Option<Arc<Tracing>>,
    /// The files that it was read from: what a watcher watches.
    pub files: Vec<PathBuf>,
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Its address; loopback by default.
    pub listen: SocketAddr,
    /// The data folder: compile cache, plugin files, store.
    pub data: PathBuf,
    /// Whose pages may ask beside its own, as browsers name them.
    pub origins: Vec<Arc<str>>,
    /// Whose signature a component needs, of any of them; empty for nobody's.
    pub plugin_keys: Vec<PluginKey>,
    /// Whether a balancer is judged before it decides for all.
    pub certify_balancers: Certify,
    /// How registries are spoken to.
    pub registries: Registries,
    /// How it speaks TLS; none for plain HTTP.
    pub tls: Option<AdminTls>,
}

/// How registries are spoken to that components are fetched from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    /// A file of logins as `docker login` writes it; none for the user's own.
    pub auth: Option<PathBuf>,
    /// Those that are spoken to in the clear beside those on a loopback address.
    pub plain_http: Vec<Arc<str>>,
}

/// A pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolConfig {
    /// Its name.
    pub name: PoolName,
    /// Who chooses the endpoint.
    pub balancer: Binding,
    /// Who remembers sessions, if anyone.
    pub affinity: Option<Binding>,
    /// What the key of `pick` is a hash of.
    pub hash_key: HashKey,
    /// Active checks; none switches them off.
    pub health: Option<HealthCheck>,
    /// How its servers are asked how busy they are; none: they are not.
    pub probe: Option<Probe>,
    /// When a server that fails requests gets no more for a while; none: never.
    pub breaker: Option<Breaker>,
    /// With fewer of its servers well, in percent, all get requests: 0 to 100.
    pub panic_threshold: u8,
    /// How long a server takes to come to its whole share; zero: it has it at
    /// once.
    pub slow_start: Duration,
    /// Trying again elsewhere.
    pub retries: Retries,
    /// What it does when there is more to do than its servers can.
    pub overload: Overload,
    /// How long a connection to a server may take to be made.
    pub connect_timeout: Duration,
    /// From the request's head to the response's head, all attempts together,
    /// but for the time that sending a body takes; zero: no limit.
    pub request_timeout: Duration,
    /// The protocols that clients may switch to.
    pub upgrades: Upgrades,
    /// Idle connections kept to each server by each worker.
    pub idle_connections: usize,
    /// The protocol that its servers speak.
    pub protocol: Protocol,
    /// How its servers are spoken to in TLS; none: in the clear.
    pub tls: Option<ServerTls>,
    /// In which version of the PROXY protocol its servers are told which client
    /// a connection is for; none: they are not.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Who gets copies of requests, if anyone.
    pub mirror: Option<Mirror>,
    /// Whether it is closed: requests are answered with 503.
    pub maintenance: bool,
    /// Who is asked whether a request may go on, if anyone.
    pub forward_auth: Option<ForwardAuth>,
    /// Which web pages may use it from browsers; none: that is the servers'
    /// business.
    pub cors: Option<Cors>,
    /// Faults on purpose, if any.
    pub faults: Option<Faults>,
    /// Which answers of its servers are kept; none: none is.
    pub cache: Option<CacheRules>,
    /// How answers are compressed; none: they are not.
    pub compression: Option<Compression>,
    /// Its members as declared, and as found.
    pub servers: Vec<ServerConfig>,
    /// Where more are found, if anywhere.
    pub dns: Option<Dns>,
}

/// Another pool that gets copies of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Which pool; another than the one that it is of.
    pub pool: PoolName,
    /// The share of requests that are copied, in percent: 1 to 100.
    pub percent: u8,
}

/// Who is asked whether a request may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardAuth {
    /// Whose servers; another pool than the one that it is of.
    pub pool: PoolName,
    /// What they are asked for.
    pub path: String,
    /// The headers of their answer that the request gets, in lower case.
    pub headers: Vec<String>,
}

/// Which web pages may use a pool from browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whose.
    pub origins: Origins,
    /// The methods that they may use, as a header lists them.
    pub methods: String,
    /// The request headers that they may send, likewise.
    pub headers: String,
    /// The response headers that they may read, likewise.
    pub expose: String,
    /// Whether cookies and credentials come along.
    pub credentials: bool,
    /// How long a browser may keep the answer to a preflight.
    pub max_age: Duration,
}

/// The origins of web pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Any.
    Any,
    /// These, as browsers name them.
    These(Vec<Arc<str>>),
}

/// Delays and failures on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// What requests are held up by.
    pub delay: Option<Delay>,
    /// What requests are answered with instead of being forwarded.
    pub abort: Option<Abort>,
}

/// A delay on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// How long.
    pub by: Duration,
    /// The share of requests, in percent: 1 to 100.
    pub percent: u8,
}

/// A failure on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// The status: 400 to 599.
    pub status: u16,
    /// The share of requests, in percent: 1 to 100.
    pub percent: u8,
}

/// The protocol that servers speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, by ALPN over TLS and by prior knowledge in the clear.
    Http2,
    /// Whichever a server prefers, by ALPN; over TLS alone.
    Auto,
}

/// What the key of `pick` is a hash of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HashKey {
    /// The client's address.
    #[default]
    ClientAddress,
    /// The first value of a header, named in lower case.
    Header(String),
    /// A cookie's value.
    Cookie(String),
    /// The normalised path.
    Path,
}

impl fmt::Display for HashKey {
    /// As a configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientAddress => f.write_str("client-address"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Path => f.write_str("path"),
        }
    }
}

/// Trying again on another server, before the first response byte.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// Attempts in all, the first included: 1 or more.
    pub attempts: u32,
    /// Retries that a worker allows, as a share of its requests to the pool
    /// (0 to 1), beside a small constant reserve.
    pub budget: f64,
    /// From sending the head of an attempt to the response's head.
    pub per_try_timeout: Duration,
    /// Statuses of a response that is given up for another server's.
    pub statuses: Vec<u16>,
}

/// A server as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Its stable name, made of host and port; a Unix socket's is its host.
    pub id: EndpointId,
    /// Host name or address, without brackets; or `unix:` and the path of a socket.
    pub host: Arc<str>,
    /// TCP port; 0 for a Unix socket.
    pub port: u16,
    /// Relative share of the work; 0 takes none.
    pub weight: u16,
    /// Free-form labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it takes no new work.
    pub drain: bool,
    /// The most requests in flight on it at a time, over all workers; none: no
    /// limit.
    pub max_active: Option<NonZeroU32>,
    /// How it is checked: as its pool says, but for what it says itself; none
    /// when the pool is not checked.
    pub health: Option<HealthCheck>,
}

/// Sizes that nobody may exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The head of a request, in bytes: at least 8 KiB, which is the smallest
    /// buffer that the HTTP server works with.
    pub request_head: usize,
    /// Header lines in a request.
    pub request_headers: usize,
    /// The body of a request, in bytes; none: no limit.
    pub request_body: Option<u64>,
    /// The head of a server's response, in bytes.
    pub response_head: usize,
    /// How much of a request's body is kept to be sent again, in bytes.
    pub replay_body: usize,
    /// Client connections open at a time on each worker.
    pub connections: usize,
    /// Requests in flight at a time on each worker; none: no limit.
    pub requests: Option<usize>,
}

/// Waiting times that are not a pool's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last; the TLS handshake
    /// has as long.
    pub request_head: Duration,
    /// How long a client's connection may be open with no request on it.
    pub idle: Duration,
    /// How long a body may stand still, in either direction.
    pub body_idle: Duration,
    /// How long nothing may come from either side of a connection that has
    /// switched protocols; zero: no limit.
    pub tunnel_idle: Duration,
    /// How long requests in flight may go on after a stop was asked for.
    pub drain: Duration,
}
