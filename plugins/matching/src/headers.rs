//! What a request's headers must be.

use std::collections::BTreeMap;

use gatewright_plugin_sdk::{ConfigError, refuse, request};

use crate::tokens::header_name;
use crate::value::Value;

/// Conditions on headers by name. All must hold.
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

    /// Whether all hold for the request that is being decided.
    pub fn hold(&self) -> bool {
        self.hold_or(false)
    }

    /// The same, where values that are too long to be judged hold or do not.
    pub fn hold_or(&self, unjudged: bool) -> bool {
        let holds = |name: &str, value: &Value| {
            let given = request::header(name);
            given.is_some_and(|given| value.judges(&given).unwrap_or(unjudged))
        };
        self.0.iter().all(|(name, value)| holds(name, value))
    }
}
