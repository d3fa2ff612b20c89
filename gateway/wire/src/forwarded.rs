//! The client's address, told by `X-Forwarded-For` as far as it can be trusted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address of the client on whose behalf `peer` talks to us.
///
/// Each proxy appends the address it was called from, so the list is walked
/// from its right end, beginning with `peer` itself: as long as an address is
/// `trusted`, the one it reports is believed. The walk ends at the first
/// address that is not trusted, which is the answer; at the list's left end;
/// or before an entry that is no address, since what stands left of it has no
/// author that we know.
///
/// `forwarded_for` are the header's values in the order received. Entries may
/// carry a port or brackets; IPv4-mapped addresses are answered, and handed to
/// `trusted`, as IPv4. None is a peer at a Unix socket, which has no address.
pub fn client_address<V, T>(peer: Option<IpAddr>, forwarded_for: V, trusted: T) -> Option<IpAddr>
where
    V: IntoIterator<Item: AsRef<[u8]>, IntoIter: DoubleEndedIterator>,
    T: Fn(Option<IpAddr>) -> bool,
{
    let mut client = peer.map(|peer| peer.to_canonical());
    if !trusted(client) {
        return client;
    }
    for value in forwarded_for.into_iter().rev() {
        for entry in value.as_ref().rsplit(|&byte| byte == b',') {
            let Some(address) = parse_entry(entry) else {
                return client;
            };
            client = Some(address);
            if !trusted(client) {
                return client;
            }
        }
    }
    client
}

/// One entry: an address alone, with a port, in brackets, or in brackets with a port.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_ascii();
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .or_else(|| parse_bracketed(text).map(IpAddr::V6))?;
    Some(address.to_canonical())
}

fn parse_bracketed(text: &str) -> Option<Ipv6Addr> {
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::client_address;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Trusts the private network 10.0.0.0/8 and the loopback addresses.
    fn private(address: Option<IpAddr>) -> bool {
        let is_private = |address: IpAddr| {
            address.is_loopback() || matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10)
        };
        address.is_some_and(is_private)
    }

    fn client(peer: &str, values: &[&str]) -> IpAddr {
        client_address(Some(ip(peer)), values, private).unwrap()
    }

    #[test]
    fn a_peer_without_an_address_is_trusted_or_not_like_any_other() {
        let values = ["198.51.100.7, 10.0.0.2"];
        assert_eq!(client_address(None, values, private), None);
        let told = client_address(None, values, |peer| peer.is_none() || private(peer));
        assert_eq!(told, Some(ip("198.51.100.7")));
        assert_eq!(client_address(None, ["unknown"], |_| true), None);
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        assert_eq!(client("203.0.113.9", &["1.2.3.4"]), ip("203.0.113.9"));
    }

    #[test]
    fn a_trusted_peer_without_the_header_is_the_client() {
        assert_eq!(client("10.0.0.1", &[]), ip("10.0.0.1"));
        assert_eq!(client("10.0.0.1", &[""]), ip("10.0.0.1"));
    }

    #[test]
    fn the_walk_ends_at_the_first_untrusted_address_from_the_right() {
        let values = ["6.6.6.6, 198.51.100.7", "10.0.0.2 ,10.0.0.3"];
        assert_eq!(client("10.0.0.1", &values), ip("198.51.100.7"));
    }

    #[test]
    fn a_chain_of_trusted_addresses_ends_at_its_left_end() {
        assert_eq!(client("10.0.0.1", &["10.0.0.9, 10.0.0.2"]), ip("10.0.0.9"));
    }

    #[test]
    fn a_malformed_entry_ends_the_walk_at_the_last_known_address() {
        assert_eq!(
            client("10.0.0.1", &["1.2.3.4, unknown, 10.0.0.2"]),
            ip("10.0.0.2")
        );
        assert_eq!(client("10.0.0.1", &["1.2.3.4,,"]), ip("10.0.0.1"));
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        for (entry, address) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
        ] {
            assert_eq!(client("::ffff:10.0.0.1", &[entry]), ip(address), "{entry}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(values: Vec<Vec<u8>>) {
            let _ = client_address(Some(ip("10.0.0.1")), values, private);
        }

        #[test]
        fn what_stands_left_of_an_untrusted_address_changes_nothing(left in "[0-9a-f:., ]{0,40}") {
            let value = format!("{left},198.51.100.7, 10.0.0.2");
            prop_assert_eq!(client("10.0.0.1", &[&value]), ip("198.51.100.7"));
        }
    }
}
