//! The configuration as written: the keys of the file, their texts and numbers
//! as they stand. Every key may be left out that has a default (all of them are
//! in `config/defaults.rs`); a key that is not here is refused. The
//! comments become the descriptions of the published JSON Schema.

mod acme;
mod cache;
mod choice;
mod cluster;
mod compression;
mod dns;
mod health;
mod listener;
mod overload;
mod plugin;
mod pool;
mod server;
mod telemetry;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use acme::{Acme, AcmeChallenge, ExternalAccount};
pub use cache::{Cache, PoolCache};
pub use choice::{SwitchOr, TextOr, WorkerCount};
pub use cluster::{Cluster, ClusterTls};
pub use compression::{Coding, Compression, Levels};
pub use dns::Dns;
pub use health::{Breaker, CheckKind, Health, Probe, ServerHealth};
pub use listener::{
    Certificate, ClientAuth, Hsts, Http3, Listener, Offered, Passthrough, Tls, TlsVersion,
};
pub use overload::{Hedge, Queue};
pub use plugin::{Binding, Canary, OnFault, Plugin, Policy, PolicyRole, Shadow};
pub use pool::{
    Cors, Faults, ForwardAuth, Mirror, Pool, Protocol, ProxyProtocol, Retries, Server, ServerTls,
};
pub use server::{Admin, AdminTls, Certify, Limits, Registries, Timeouts, Workers};
pub use telemetry::{AccessLog, Tracing};

/// A Gatewright configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// More files, as glob patterns relative to this one. Tables are merged,
    /// arrays of tables appended in the order of the files' names; the same key
    /// in two files is an error.
    pub include: Vec<String>,
    /// The admin listener and the data folder.
    pub admin: Admin,
    /// The Redis server by which several gateways have one desired state.
    /// Default: this gateway is alone.
    pub cluster: Option<Cluster>,
    /// The threads that carry traffic.
    pub workers: Workers,
    /// Where clients connect, one `[[listener]]` each. Default: plain HTTP on
    /// port 8080 of every address, named `web`.
    #[serde(rename = "listener")]
    pub listeners: Vec<Listener>,
    /// How certificates are ordered that a listener's `acme` names.
    pub acme: Option<Acme>,
    /// Policies in their order, one `[[policy]]` each: plugins that may answer
    /// a request before it is routed, or edit response heads.
    #[serde(rename = "policy")]
    pub policies: Vec<Policy>,
    /// The plugin that chooses the pool: a name, or a table with its
    /// configuration. Default: `path-router` sending everything to the only
    /// pool, or to `default_pool`.
    pub router: Option<TextOr<Binding>>,
    /// Where requests go that the router has no opinion on. Default: the only
    /// pool, if there is one only.
    pub default_pool: Option<String>,
    /// The pools by name; at least one.
    pub pools: BTreeMap<String, Pool>,
    /// Plugins that are not in the default set, or replace one of it, by name.
    pub plugins: BTreeMap<String, Plugin>,
    /// What pools that cache share.
    pub cache: Cache,
    /// Sizes that nobody may exceed.
    pub limits: Limits,
    /// Waiting times that are not a pool's.
    pub timeouts: Timeouts,
    /// Addresses and networks (CIDR) whose `X-Forwarded-For` is believed; `"unix"`
    /// for those who connect to a Unix socket.
    /// Default: nobody's.
    pub trusted_proxies: Vec<String>,
    /// Files that are shown for the gateway's own errors, by status: `404`, or
    /// `5xx` for all from 500 to 599. Default: the error in JSON.
    pub error_pages: BTreeMap<String, String>,
    /// A line for each request. Default: none is written.
    pub access_log: Option<AccessLog>,
    /// Traces of requests, for OpenTelemetry. Default: none are made.
    pub tracing: Option<Tracing>,
}
