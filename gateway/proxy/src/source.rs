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
        let peer_text = peer.map(text);
        Self {
            behalf: ends.map_or(Behalf::Unknown, Behalf::Client),
            peer,
            told: Told::of(peer_text.as_deref(), scheme),
            peer_text,
            is_trusted,
        }
    }
}

/// An address as text. One of IPv4 is written digit by digit, since each connection is
/// told of by it: it needs nothing of what the standard library's formatting can do.
fn text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else {
        return address.to_string();
    };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        for unit in [100, 10, 1] {
            if octet >= unit || unit == 1 {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_is_written_as_everywhere() {
        for octet in 0..=u8::MAX {
            let address = IpAddr::from([octet, 0, 255 - octet, octet]);
            assert_eq!(text(address), address.to_string());
        }
        let longest = IpAddr::from(Ipv4Addr::BROADCAST);
        assert_eq!(text(longest), "255.255.255.255");
        assert_eq!(text("2001:db8::1".parse().unwrap()), "2001:db8::1");
    }
}
