//! Where requests come from, as servers are told: what outlives the connection
//! that they came on.

use std::net::IpAddr;

use gatewright_wire::proxy_header::Ends;

/// Where the requests of one connection come from.
pub(crate) struct Source {
    /// Both ends of the connection.
    pub(crate) ends: Ends,
    /// The address that connected.
    pub(crate) peer: IpAddr,
    /// The same as text.
    pub(crate) peer_text: String,
    /// Whether what it says about clients behind it is believed.
    pub(crate) is_trusted: bool,
}

impl Source {
    /// A connection with these ends.
    pub(crate) fn of(ends: Ends, is_trusted: bool) -> Self {
        let peer = ends.source.ip().to_canonical();
        Self {
            ends,
            peer,
            peer_text: peer.to_string(),
            is_trusted,
        }
    }
}
