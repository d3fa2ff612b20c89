//! Where requests come from, as servers are told: what outlives the connection
//! that they came on.

use std::net::IpAddr;

use gatewright_wire::Told;
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
    /// What servers are told of it in each request, unless it is told otherwise.
    pub(crate) told: Told,
}

impl Source {
    /// A connection with these ends, or a Unix socket's, which have no addresses, by
    /// `http` or `https`.
    pub(crate) fn of(ends: Option<Ends>, is_trusted: bool, scheme: &str) -> Self {
        let peer = ends.map(|ends| ends.source.ip().to_canonical());
        let peer_text = peer.map(|peer| peer.to_string());
        Self {
            behalf: ends.map_or(Behalf::Unknown, Behalf::Client),
            peer,
            told: Told::of(peer_text.as_deref(), scheme),
            peer_text,
            is_trusted,
        }
    }
}
