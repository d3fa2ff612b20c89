//! What a request's headers must be, or must not be.
//!
//! A header may come several times, and a server may go by any of its values:
//! what lets a request pass is asked of all, and what refuses one of any. A value
//! that cannot be judged, being no UTF-8 or too long for an expression, lets
//! nothing pass and is refused wherever that header is looked at.

use std::collections::BTreeMap;

use gatewright_plugin_sdk::{ConfigError, refuse, request};

use crate::tokens::header_name;
use crate::value::Value;

/// Values of one header that are judged: no honest client sends more, and each
/// one costs a question to the gateway.
const MOST_VALUES: usize = 16;

/// The values of a header of the request that is being decided; none if one of
/// them is no text, or if there are more than [`MOST_VALUES`].
pub fn header_values(name: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    while let Some(bytes) = request::header_bytes(name, values.len() as u32) {
        if values.len() == MOST_VALUES {
            return None;
        }
        values.push(String::from_utf8(bytes).ok()?);
    }
    Some(values)
}

/// Conditions on headers by name.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, Value)>);

impl Headers {
    /// Understand what is written at `key`.
    ///
    /// # Errors
    ///
    /// The key of the first name or value that cannot be understood.
    pub fn parse(written: &BTreeMap<String, String>, key: &str) -> Result<Self, ConfigError> {
        let parsed = written.iter().map(|(name, text)| {
            let key = format!("{key}.{name}");
            let name = header_name(name, &key)?;
            let value = Value::parse(text).map_err(|reason| refuse(key, reason))?;
            Ok((name, value))
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether the request that is being decided has each of these headers, and
    /// all values are as they must be.
    pub fn hold(&self) -> bool {
        self.0.iter().all(|(name, value)| {
            let given = header_values(name).filter(|given| !given.is_empty());
            given.is_some_and(|given| value.accepts_all(&given))
        })
    }

    /// Whether the request has each of these headers with a value that is as it
    /// must not be, or that cannot be judged.
    pub fn trip(&self) -> bool {
        self.0.iter().all(|(name, value)| {
            header_values(name).is_none_or(|given| value.may_accept_any(&given))
        })
    }
}

#[cfg(test)]
mod tests {
    use gatewright_plugin_sdk::testing;

    use super::{Headers, MOST_VALUES};

    fn headers(condition: &str) -> Headers {
        Headers::parse(&[("x".to_owned(), condition.to_owned())].into(), "k").unwrap()
    }

    /// Whether a condition holds, and whether it trips, for these values.
    fn judged(condition: &str, values: &[&[u8]]) -> (bool, bool) {
        testing::reset();
        testing::host(|host| {
            let values = values.iter().map(|value| ("X".into(), value.to_vec()));
            host.request.headers = values.collect();
        });
        let headers = headers(condition);
        let judged = (headers.hold(), headers.trip());
        testing::reset();
        judged
    }

    #[test]
    fn all_values_must_hold_and_any_trips() {
        assert_eq!(judged("a", &[]), (false, false));
        assert_eq!(judged("a", &[b"a"]), (true, true));
        assert_eq!(judged("a", &[b"a", b"a"]), (true, true));
        assert_eq!(judged("a", &[b"b", b"a"]), (false, true));
        assert_eq!(judged("a", &[b"b", b"b"]), (false, false));
        assert_eq!(judged("*", &[b""]), (true, true));
    }

    #[test]
    fn what_cannot_be_judged_trips_and_never_holds() {
        for condition in ["a", "*", "~a"] {
            assert_eq!(judged(condition, &[b"\xFFa"]), (false, true));
            assert_eq!(judged(condition, &[b"b", b"\xFF"]), (false, true));
            let many = [&b"a"[..]; MOST_VALUES + 1];
            assert_eq!(judged(condition, &many), (false, true));
            assert_eq!(judged(condition, &many[1..]), (true, true));
        }
        // As many bytes in several values take as long as in one.
        let half = "a".repeat(1024);
        let half = half.as_bytes();
        assert_eq!(judged("~a", &[half, half]), (true, true));
        assert_eq!(judged("~b", &[half, half, b"a"]), (false, true));
        assert_eq!(judged("a", &[half, half, b"a"]), (false, true));
    }
}
