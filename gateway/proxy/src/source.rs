//! Where requests come from, as servers are told: what outlives the connection
//! that they came on.

use std::net::IpAddr;

use gatewright_wire::proxy_header::{Behalf, Ends};

/// Where the requests of one connection come from.
pub(crate) struct Source {
    /// For whom connections to servers are made.
    pub(crate) behalf: Behalf,
    /// The address that connected; none by a Unix socket.
    pub(crate) peer: Option<IpAddr>,
    /// The same as text.
    pub(crate) peer_text: Option<String>,
    /// Whether what it says about clients behind it is believed.
    pub(crate) is_trusted: bool,
}

impl Source {
    /// A connection with these ends, or a Unix socket's, which have no addresses.
    pub(crate) fn of(ends: Option<Ends>, is_trusted: bool) -> Self {
        let peer = ends.map(|ends| ends.source.ip().to_canonical());
        Self {
            behalf: ends.map_or(Behalf::Unknown, Behalf::Client),
            peer,
            peer_text: peer.map(|peer| peer.to_string()),
            is_trusted,
        }
    }
}
