//! Sizes in bytes, written as `"1MiB"`, and how long a request says that its
//! body is.

use gatewright_plugin_sdk::request;
use serde::de::{Deserialize, Deserializer, Error};

/// A number of bytes: a number, or a text with the unit `B`, `KiB`, `MiB` or `GiB`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Size(pub u64);

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start() {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return None,
        };
        number
            .parse::<u64>()
            .ok()?
            .checked_mul(1 << shift)
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "expected a size such as \"1MiB\"")]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(Self(bytes)),
            Written::Text(text) => Self::parse(&text).ok_or_else(|| {
                D::Error::custom(format!("`{text}` is no size such as \"64KiB\" or \"1MiB\""))
            }),
        }
    }
}

/// How long the request says that its body is; none where it says nothing, as
/// with chunks.
pub fn declared_length() -> Option<u64> {
    request::header("content-length")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn sizes_have_units() {
        let bytes = |text| Size::parse(text).map(|size| size.0);
        assert_eq!(bytes("10"), Some(10));
        assert_eq!(bytes("64KiB"), Some(65_536));
        assert_eq!(bytes("1 MiB"), Some(1 << 20));
        for text in ["", "MiB", "1MB", "-1", "99999999999GiB", "ü"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
