//! The keys of `[cluster]`: the gateways that have one desired state together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Redis (or Valkey) server by which several gateways have one desired state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Where the server is: `redis://HOST:PORT/DATABASE`, `rediss://` with TLS,
    /// `redis+unix:///PATH?db=DATABASE` for a Unix socket; `USER:PASSWORD@` may stand
    /// before the host.
    pub url: String,
    /// The password, if it is not in the address.
    pub password: Option<String>,
    /// What every key in the server begins with: gateways with the same one are one
    /// cluster.
    pub prefix: String,
    /// What this gateway is called in lists. Default: the machine's name and the
    /// admin listener's port.
    pub name: Option<String>,
    /// Whose certificates are believed, and which one is shown. Default: those that
    /// the system trusts, and none.
    pub tls: Option<ClusterTls>,
}

/// How the server is spoken to with TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterTls {
    /// Certificates of authorities in PEM, relative to the file: one of them has
    /// signed the server's. Default: those that the system trusts.
    pub ca: Option<String>,
    /// The certificate chain that is shown to the server, in PEM, leaf first.
    pub cert: Option<String>,
    /// The private key that goes with it, in PEM.
    pub key: Option<String>,
}
