//! Networks by CIDR (RFC 4632), each with something that it stands for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;

use gatewright_plugin_sdk::{ConfigError, mix, refuse, request};
use ipnet::IpNet;

/// The address of the client that asks. An IPv4 address that is mapped into
/// IPv6 is the IPv4 address.
pub fn client_address() -> Option<IpAddr> {
    let address: IpAddr = request::client_address().parse().ok()?;
    Some(address.to_canonical())
}

/// Networks, of which the narrowest around an address counts.
///
/// A look-up is one hash for each length of prefix that there is, however many
/// networks there are.
#[derive(Clone, Debug)]
pub struct Networks<T = ()> {
    v4: Vec<OfLength<T>>,
    v6: Vec<OfLength<T>>,
}

/// The networks whose prefixes are of one length, by address without the rest.
type OfLength<T> = (u8, HashMap<u128, T, BuildHasherDefault<Mixed>>);

/// Quick for addresses. The networks are the configuration's own, so nobody gains
/// by some whose hashes are alike.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = mix(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u128(&mut self, address: u128) {
        self.0 = mix(mix(address as u64) ^ (address >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<T> Default for Networks<T> {
    fn default() -> Self {
        Self {
            v4: Vec::new(),
            v6: Vec::new(),
        }
    }
}

impl Networks {
    /// The networks that are written at `key`.
    ///
    /// # Errors
    ///
    /// The key of the first that is none.
    pub fn parse(written: &[String], key: &str) -> Result<Self, ConfigError> {
        let mut networks = Self::default();
        for (number, text) in written.iter().enumerate() {
            networks.insert(text, (), &format!("{key}[{number}]"))?;
        }
        Ok(networks)
    }

    /// Whether an address is in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.find(address).is_some()
    }
}

impl<T> Networks<T> {
    /// Add a network or a single address, as it is written at `key`, with what
    /// it stands for. Returns what it stood for before.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn insert(&mut self, text: &str, value: T, key: &str) -> Result<Option<T>, ConfigError> {
        let network = parsed(text).ok_or_else(|| {
            refuse(
                key,
                format!("`{text}` is no network: write 10.0.0.0/8, 2001:db8::/32 or one address"),
            )
        })?;
        let length = network.prefix_len();
        let (lengths, address) = match network.network() {
            IpAddr::V4(address) => (&mut self.v4, u128::from(u32::from(address))),
            IpAddr::V6(address) => (&mut self.v6, u128::from(address)),
        };
        let at = lengths.partition_point(|(known, _)| *known > length);
        if lengths.get(at).is_none_or(|(known, _)| *known != length) {
            lengths.insert(at, (length, HashMap::default()));
        }
        Ok(lengths[at].1.insert(address, value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// What the narrowest network around an address stands for.
    pub fn find(&self, address: IpAddr) -> Option<&T> {
        let (lengths, address, bits) = match address.to_canonical() {
            IpAddr::V4(address) => (&self.v4, u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (&self.v6, u128::from(address), 128),
        };
        let mut found = lengths.iter().map(|(length, networks)| {
            let rest = u32::from(bits - *length);
            let network = address.checked_shr(rest).unwrap_or(0);
            networks.get(&network.checked_shl(rest).unwrap_or(0))
        });
        found.find_map(|value| value)
    }
}

fn parsed(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse::<IpNet>().ok()?,
    };
    Some(network.trunc())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use ipnet::{IpNet, Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    use super::Networks;

    fn networks(texts: &[&str]) -> Networks {
        let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
        Networks::parse(&texts, "networks").unwrap()
    }

    #[test]
    fn addresses_are_found_in_either_family_and_mapped_ones_in_the_fourth() {
        let networks = networks(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);
        let contain = |text: &str| networks.contain(text.parse().unwrap());
        assert!(contain("10.255.0.1") && contain("192.0.2.7") && contain("2001:db8::1"));
        assert!(contain("::ffff:10.1.2.3"));
        assert!(!contain("11.0.0.1") && !contain("192.0.2.8") && !contain("2001:db9::1"));
    }

    #[test]
    fn the_narrowest_network_counts() {
        let mut networks = Networks::default();
        for (text, name) in [
            ("0.0.0.0/0", "all"),
            ("10.0.0.0/8", "ours"),
            ("10.1.0.0/16", "lab"),
        ] {
            assert!(networks.insert(text, name, "k").unwrap().is_none());
        }
        assert_eq!(networks.find("10.1.2.3".parse().unwrap()), Some(&"lab"));
        assert_eq!(networks.find("10.2.2.3".parse().unwrap()), Some(&"ours"));
        assert_eq!(networks.find("9.9.9.9".parse().unwrap()), Some(&"all"));
        assert_eq!(networks.find("::1".parse().unwrap()), None);
    }

    #[test]
    fn what_is_no_network_is_refused_with_its_place() {
        let written = ["10.0.0.0/8".to_owned(), "10.0.0.0/33".to_owned()];
        let error = Networks::parse(&written, "networks").unwrap_err();
        assert_eq!(error.key, "networks[1]");
    }

    proptest! {
        #[test]
        fn it_finds_what_looking_at_each_network_finds(
            written in prop::collection::vec((any::<u32>(), 0_u8..=32), 0..20),
            asked: u32,
        ) {
            let all: Vec<Ipv4Net> = written.iter()
                .map(|(address, length)| Ipv4Net::new(Ipv4Addr::from(*address), *length).unwrap())
                .collect();
            let mut networks = Networks::default();
            for network in &all {
                networks.insert(&network.to_string(), network.prefix_len(), "k").unwrap();
            }
            let asked = Ipv4Addr::from(asked);
            let expected = all.iter().filter(|network| network.contains(&asked))
                .map(Ipv4Net::prefix_len).max();
            prop_assert_eq!(networks.find(IpAddr::V4(asked)).copied(), expected);
        }

        #[test]
        fn a_network_of_the_sixth_family_holds_its_addresses(address: u128, length in 0_u8..=128) {
            let address = Ipv6Addr::from(address);
            let network = IpNet::V6(Ipv6Net::new(address, length).unwrap());
            prop_assume!(address.to_ipv4_mapped().is_none());
            let networks = networks(&[&network.to_string()]);
            prop_assert!(networks.contain(IpAddr::V6(address)));
        }
    }
}
