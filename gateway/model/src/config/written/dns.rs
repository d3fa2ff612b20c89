//! The keys of servers that are found by DNS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::Period;

/// Servers that are found by DNS. They are looked up again when the answer's
/// time to live is over; where there is no usable answer, the last ones stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// Names with a port, such as `app.internal:8080`: each address that one has
    /// (A and AAAA) is a server. Up to 64; at least one where there is no `srv`.
    #[schemars(length(max = 64))]
    pub names: Vec<String>,
    /// A name with SRV records, such as `_http._tcp.app.internal`: the targets of
    /// the lowest priority are the servers, with their ports and weights.
    /// Default: none.
    pub srv: Option<String>,
    /// Who is asked, as addresses with or without a port. Default: as the
    /// system's `resolv.conf` says, names of the hosts file included.
    pub nameservers: Vec<String>,
    /// The shortest time from one look-up to the next: 1 s to 1 day.
    pub min_ttl: Period,
    /// The longest time from one look-up to the next: 1 s to 1 day.
    pub max_ttl: Period,
}
