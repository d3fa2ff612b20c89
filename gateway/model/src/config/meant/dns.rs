//! Servers that are found by DNS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where a pool's servers are found, beside those that are declared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dns {
    /// Names whose addresses are servers, each with their port.
    pub names: Vec<(Arc<str>, u16)>,
    /// The name whose SRV records name servers, if there is one.
    pub srv: Option<Arc<str>>,
    /// Who is asked; nobody for those whom the system asks.
    pub nameservers: Vec<SocketAddr>,
    /// The shortest time from one look-up to the next.
    pub min_ttl: Duration,
    /// The longest, which is no shorter.
    pub max_ttl: Duration,
}
