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
    form_urlencoded::parse(query.as_bytes())
        .filter_map(move |(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn a_query_is_decoded_before_it_is_compared() {
        let values: Vec<_> = parameters("v=1&w=2&%76=%33&v&v=a%2Fb+c&v=100%&v=%zz", "v").collect();
        assert_eq!(values, ["1", "3", "", "a/b c", "100%", "%zz"]);
    }
}
