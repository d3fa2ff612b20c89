//! What tells one client from another, as a pool's `hash_key` says it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use gatewright_plugin_sdk::{ConfigError, refuse, request};
use sha2::{Digest as _, Sha256};

use crate::tokens::is_token;

/// Bytes of a client's own text in a key; of a longer one there is a digest, so
/// that a client fills no table and no two texts are one key.
const TEXT_BYTES: usize = 200;

/// `client-address`, `path`, `header:NAME` or `cookie:NAME`.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// The client's address.
    ClientAddress,
    /// The path that is asked for.
    Path,
    /// A header's first value.
    Header(String),
    /// A cookie's value.
    Cookie(String),
}

impl Key {
    /// Understand what is written at `key`.
    ///
    /// # Errors
    ///
    /// When it is none of the four.
    pub fn parse(text: &str, key: &str) -> Result<Self, ConfigError> {
        let parsed = match text.split_once(':') {
            None if text == "client-address" => Some(Self::ClientAddress),
            None if text == "path" => Some(Self::Path),
            Some(("header", name)) if is_token(name) => Some(Self::Header(name.into())),
            Some(("cookie", name)) if is_token(name) => Some(Self::Cookie(name.into())),
            _ => None,
        };
        parsed.ok_or_else(|| {
            refuse(
                key,
                format!("`{text}` is none of client-address, path, header:NAME, cookie:NAME"),
            )
        })
    }

    /// The key of the request that is being decided; none where it has no such
    /// header or cookie. Addresses of IPv6 are cut to `ipv6_prefix` bits. Keys
    /// of different kinds never meet.
    pub fn of_request(&self, path: &str, ipv6_prefix: u8) -> Option<String> {
        match self {
            Self::ClientAddress => Some(address_key(ipv6_prefix)),
            Self::Path => Some(prefixed("p:", path)),
            Self::Header(name) => Some(prefixed("h:", &request::header(name)?)),
            Self::Cookie(name) => Some(prefixed("c:", &request::cookie(name)?)),
        }
    }
}

/// The client's address as a key, cut to `ipv6_prefix` bits (1 to 128) if it is
/// of IPv6: who has one address there usually has a whole network.
pub fn address_key(ipv6_prefix: u8) -> String {
    let text = request::client_address();
    if !text.contains(':') {
        // There is one way to write one of IPv4, and that is how it came.
        return text;
    }
    let Ok(address) = text.parse::<IpAddr>() else {
        return String::new();
    };
    let address = address.to_canonical();
    match address {
        IpAddr::V6(address) if ipv6_prefix < 128 => {
            let mask = !(u128::MAX >> ipv6_prefix);
            format!(
                "{}/{ipv6_prefix}",
                Ipv6Addr::from(u128::from(address) & mask)
            )
        }
        address => address.to_string(),
    }
}

fn prefixed(kind: &str, text: &str) -> String {
    [kind, &shortened(text, TEXT_BYTES)].concat()
}

/// A text that a table is to know something by: as it is, or if it is longer than
/// `most` bytes, the digest of it (SHA-256, in hexadecimal digits behind `#`).
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    // What looks like a digest is not taken for one.
    if text.len() <= most && !text.starts_with('#') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("#{:x}", Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use gatewright_plugin_sdk::testing;

    use super::Key;

    fn key(text: &str) -> Key {
        Key::parse(text, "key").unwrap()
    }

    #[test]
    fn each_kind_of_key_is_read_from_the_request() {
        testing::reset();
        testing::host(|host| {
            host.header("x-api-key", "k1");
            host.cookie("id", "c1");
        });
        assert_eq!(
            key("client-address").of_request("/a", 64).unwrap(),
            "192.0.2.1"
        );
        assert_eq!(key("path").of_request("/a", 64).unwrap(), "p:/a");
        assert_eq!(
            key("header:X-Api-Key").of_request("/a", 64).unwrap(),
            "h:k1"
        );
        assert_eq!(key("cookie:id").of_request("/a", 64).unwrap(), "c:c1");
        assert_eq!(key("cookie:other").of_request("/a", 64), None);
        testing::reset();
    }

    #[test]
    fn a_network_of_the_sixth_family_is_one_client() {
        let of = |address: &str, prefix| {
            testing::host(|host| host.request.client_address = address.into());
            key("client-address").of_request("/", prefix).unwrap()
        };
        assert_eq!(of("2001:db8:1:2::3", 64), of("2001:db8:1:2:ffff::9", 64));
        assert_ne!(of("2001:db8:1:2::3", 64), of("2001:db8:1:3::3", 64));
        assert_ne!(of("2001:db8:1:2::3", 128), of("2001:db8:1:2::4", 128));
        assert_eq!(of("::ffff:192.0.2.9", 64), "192.0.2.9");
        testing::reset();
    }

    #[test]
    fn long_texts_that_begin_alike_are_keys_of_their_own_and_short_ones_as_they_are() {
        let of = |text: &str| {
            testing::reset();
            testing::host(|host| host.header("x", text));
            key("header:x").of_request("/", 64).unwrap()
        };
        let long = "ü".repeat(500);
        let digest = of(&long);
        assert_eq!(digest.len(), 2 + 65);
        assert_ne!(digest, of(&(long + "ü")));
        assert_eq!(of(&"a".repeat(200)), format!("h:{}", "a".repeat(200)));
        // Nobody has another's key by saying its digest.
        assert_ne!(of(&digest[2..]), digest);
        testing::reset();
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "address", "header:", "header:a b", "cookie", "query:a"] {
            assert_eq!(Key::parse(text, "key").unwrap_err().key, "key", "{text}");
        }
    }
}
