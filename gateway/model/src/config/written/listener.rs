//! The keys of a listener: where clients connect, and how they are spoken to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SwitchOr, TextOr};
use crate::config::quantity::Period;

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Its name in logs and metrics. Default: its address as written.
    #[serde(default)]
    pub name: Option<String>,
    /// Its address: `"[::]:8080"`, `"127.0.0.1:8080"`, or `":8080"` for every
    /// address; or `"unix:/run/gatewright.sock"`, the whole path of a Unix socket.
    /// The environment variable `PORT` replaces the port of the first listener
    /// that has one.
    pub listen: String,
    /// The mode of a Unix socket's file, in octal: who may write to the file may
    /// connect. Default: `"0660"`, the gateway's user and group.
    #[serde(default)]
    pub socket_mode: Option<String>,
    /// How it speaks TLS. Default: it speaks plain HTTP.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Whether it speaks HTTP/3 too, over UDP on the port of its address: `true`, or
    /// a table that says what clients are told of it. Default: `false`.
    #[serde(default)]
    pub http3: Option<SwitchOr<Http3>>,
    /// Where its clients are sent on to: `"https"`, or `"https:PORT"` for another
    /// port than 443. Default: nowhere, they are served.
    #[serde(default)]
    #[schemars(regex(pattern = r"^https(:[0-9]+)?$|\$\{.+\}"))]
    pub redirect: Option<String>,
    /// The addresses and networks (CIDR) of the proxies that it is behind, which
    /// begin each connection with a header of the PROXY protocol, version 1 or
    /// 2; `"unix"` for those that connect to a Unix socket. Nobody else is
    /// served. Default: it is behind none that do.
    #[serde(default)]
    pub proxy_protocol: Vec<String>,
    /// Which servers get the connections of TLS clients as they come, by the
    /// name that the client asks for. Nothing else is served then. Default:
    /// none, the gateway speaks with clients itself.
    #[serde(default)]
    pub passthrough: Vec<Passthrough>,
}

/// What clients of HTTP/1.1 and HTTP/2 are told of HTTP/3 (RFC 7838).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http3 {
    /// The UDP port that they are told, where it is another one outside than that
    /// of the listener's address. Default: the listener's.
    #[schemars(range(min = 1))]
    pub advertise: Option<u16>,
    /// For how long they remember it: up to 365 days; `"0s"` tells them to forget
    /// it.
    pub max_age: Period,
}

/// Clients whose TLS is a server's business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passthrough {
    /// The name that they ask for, such as `"db.example"`; `"*.example"` for any
    /// with one label more; `"*"` for all others, and for those that ask for
    /// none.
    pub sni: String,
    /// The pool whose servers get them.
    pub pool: String,
}

/// How a listener speaks TLS: with `self_signed`, or with `certificates`, `acme`
/// or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Make a certificate for `localhost` at every start; for development.
    pub self_signed: bool,
    /// Certificates in files, chosen by the name that the client asks for: one
    /// for exactly that name before one with a wildcard for it.
    pub certificates: Vec<Certificate>,
    /// Names of hosts for which one certificate is ordered and renewed, as
    /// `[acme]` says.
    pub acme: Vec<String>,
    /// Whether clients are refused that ask for no name, or for one that no
    /// certificate is for. Default: they get the first certificate.
    pub strict_sni: bool,
    /// The oldest version of TLS that is spoken.
    pub min_version: TlsVersion,
    /// The protocols that clients are offered by ALPN, in the order in which
    /// they are preferred.
    #[schemars(length(min = 1))]
    pub protocols: Vec<Offered>,
    /// Certificates of authorities in PEM, relative to the file: clients show
    /// who they are by a certificate that one of them signed. Default: clients
    /// are not asked for certificates.
    pub client_ca: Option<String>,
    /// Whether clients without a certificate are let in, where `client_ca` asks
    /// for one.
    pub client_auth: ClientAuth,
    /// For how long browsers are told to come by HTTPS only, such as `"365 days"`,
    /// or a table that says more. Default: they are not told.
    pub hsts: Option<TextOr<Hsts>>,
}

/// What browsers are told of HTTPS (RFC 6797).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hsts {
    /// For how long they come by HTTPS only: up to 3650 days; `"0s"` takes it
    /// back.
    pub max_age: Period,
    /// Whether that is so for all names below the one they asked for.
    #[serde(default)]
    pub include_subdomains: bool,
    /// Whether the name may stand in the lists that browsers come with.
    #[serde(default)]
    pub preload: bool,
}

/// Whether clients without a certificate are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// They are not.
    #[default]
    Required,
    /// They are; those that show one have to show a good one.
    Optional,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

/// A protocol that clients are offered, by its name in ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Offered {
    /// HTTP/2.
    #[serde(rename = "h2")]
    Http2,
    /// HTTP/1.1.
    #[serde(rename = "http/1.1")]
    Http1,
}

/// A certificate chain and its private key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The chain in PEM, leaf first, relative to the file.
    pub cert: String,
    /// The private key in PEM (PKCS#8, PKCS#1 or SEC1), relative to the file.
    pub key: String,
}
