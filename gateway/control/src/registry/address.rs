//! What an authority names, and on which side of the outside and the inside an
//! address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An authority's host, without brackets.
pub(super) fn host_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_matches(['[', ']'])
}

pub(super) fn port_of(authority: &str) -> Option<u16> {
    authority.rsplit_once(':')?.1.parse().ok()
}

pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether an address is one that only some machines reach (RFC 6890 and what
/// was added to its registries).
pub(super) fn is_internal(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_internal_v4(address),
        IpAddr::V6(address) => {
            let [first, second, third, ..] = address.segments();
            address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast()
                // Of a site, as it was once, and of a network's own NAT64.
                || first & 0xffc0 == 0xfec0
                || (first, second, third) == (0x64, 0xff9b, 1)
                || embedded(address).is_some_and(is_internal_v4)
        }
    }
}

fn is_internal_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_carriers = first == 100 && (64..128).contains(&second);
    let is_for_protocols = (first, second, third) == (192, 0, 0);
    let is_for_benchmarks = first == 198 && (18..20).contains(&second);
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || is_carriers
        || is_for_protocols
        || is_for_benchmarks
}

/// The address of the fourth version that one of the sixth leads to: by NAT64,
/// by 6to4, or as it was written once. `::` and `::1` are such too, and are
/// inside as 0.0.0.0/8 is.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => (high, low),
        [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

/// Where a registry of these addresses is, and whether that is on the inside. One
/// that has addresses on both sides is outside, for a stranger could have added
/// the others.
pub(super) fn on_one_side(addresses: &[SocketAddr]) -> (Vec<IpAddr>, bool) {
    let mut addresses: Vec<_> = addresses.iter().map(SocketAddr::ip).collect();
    let is_inside = addresses.iter().all(|address| is_internal(*address));
    addresses.retain(|address| is_inside || !is_internal(*address));
    (addresses, is_inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_address_does_not_make_a_registry_one_of_the_inside() {
        let side = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|address| address.parse().unwrap());
            on_one_side(&addresses.collect::<Vec<_>>())
        };
        let (found, is_inside) = side(&["192.0.2.1:443", "10.0.0.1:443"]);
        assert!(!is_inside);
        assert_eq!(found, [IpAddr::from([192, 0, 2, 1])]);
        let (found, is_inside) = side(&["10.0.0.1:443", "[fd00::1]:443"]);
        assert!(is_inside);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn an_address_is_inside_in_whatever_form() {
        for text in [
            "::ffff:10.0.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "fe80::1",
            "::",
            "172.16.9.9",
            "192.0.0.8",
            "198.19.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:a00:1::",
            "::10.0.0.1",
            "::1",
            "fec0::1",
        ] {
            assert!(is_internal(text.parse().unwrap()), "{text}");
        }
        for text in [
            "192.0.2.1",
            "2001:db8::1",
            "8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(!is_internal(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_authority_has_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("a.example", "a.example", None),
            ("a.example:5000", "a.example", Some(5000)),
            ("[::1]:5000", "::1", Some(5000)),
        ] {
            assert_eq!((host_of(text), port_of(text)), (host, port), "{text}");
        }
    }
}
