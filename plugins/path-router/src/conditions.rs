//! What a route asks of a request beside its host and path.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gatewright_matching::{Headers, Value, tokens};
use gatewright_plugin_sdk::{ConfigError, refuse, request};

use crate::config;

/// The conditions of one route. All must hold.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    methods: Vec<String>,
    headers: Headers,
    query: Vec<(String, Value)>,
}

impl Conditions {
    /// The conditions of the route at `key`.
    ///
    /// # Errors
    ///
    /// The key of the first condition that cannot be understood.
    pub(crate) fn parse(route: &config::Route, key: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            methods: tokens::methods(route.method.as_slice(), &format!("{key}.method"))?,
            headers: Headers::parse(&route.headers, &format!("{key}.headers"))?,
            query: values(&route.query, &format!("{key}.query"))?,
        })
    }

    /// How many there are: of two routes for the same path, the one with more
    /// goes first.
    pub(crate) fn count(&self) -> usize {
        usize::from(!self.methods.is_empty()) + self.headers.count() + self.query.len()
    }

    /// Whether all hold for the request that is being decided. The gateway is
    /// asked only for what a condition needs.
    pub(crate) fn hold(&self, method: &str) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|wanted| wanted == method))
            && self.headers.hold()
            && (self.query.is_empty() || self.query_holds(&request::query().unwrap_or_default()))
    }

    fn query_holds(&self, query: &str) -> bool {
        self.query
            .iter()
            .all(|(name, value)| parameters(query, name).any(|given| value.accepts(&given)))
    }
}

fn values(
    written: &BTreeMap<String, String>,
    key: &str,
) -> Result<Vec<(String, Value)>, ConfigError> {
    let parsed = written.iter().map(|(name, text)| match Value::parse(text) {
        Ok(value) => Ok((name.clone(), value)),
        Err(reason) => Err(refuse(format!("{key}.{name}"), reason)),
    });
    parsed.collect()
}

/// The decoded values of a query's parameter.
fn parameters<'q>(query: &'q str, name: &str) -> impl Iterator<Item = Cow<'q, str>> {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name).then(|| decoded(value))
    })
}

/// Undo the encoding of forms: `+` is a space, `%41` an A. What is not UTF-8
/// afterwards is shown with replacement characters.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, escaped(tail)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// The byte that two hexadecimal digits name.
fn escaped(tail: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*tail.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{decoded, parameters};

    #[test]
    fn a_query_is_decoded_before_it_is_compared() {
        assert_eq!(decoded("a%2Fb+c"), "a/b c");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz"), "%zz");
        let values: Vec<_> = parameters("v=1&w=2&v=%33&v", "v").collect();
        assert_eq!(values, ["1", "3", ""]);
    }
}
