//! The edits as they are written.

use std::collections::BTreeMap;

use gatewright_matching::tokens::written_header;
use gatewright_plugin_sdk::{ConfigError, refuse};
use serde::Deserialize;

use crate::Values;
use crate::template::{Side, Template};

/// The whole configuration: one of the two, by the role that is bound.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// For role `request-policy`.
    pub request: Option<RequestEdits>,
    /// For role `response-policy`.
    pub response: Option<ResponseEdits>,
}

/// What the server will see. `remove` comes first, then `set`, then `add`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestEdits {
    /// In place of what the client sent.
    pub set: BTreeMap<String, String>,
    /// Beside what the client sent: one list with commas.
    pub add: BTreeMap<String, String>,
    /// Not passed on.
    pub remove: Vec<String>,
}

/// What the client will see. `remove` comes first, then `set`, `default`, `add`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseEdits {
    /// In place of what the server sent.
    pub set: BTreeMap<String, String>,
    /// Where the server sent none.
    pub default: BTreeMap<String, String>,
    /// Beside what the server sent.
    pub add: BTreeMap<String, String>,
    /// Not passed on.
    pub remove: Vec<String>,
}

/// The headers with their values that are written at `key`.
///
/// # Errors
///
/// The key of the first name or value that will not do.
pub(crate) fn named(
    written: &BTreeMap<String, String>,
    key: &str,
    side: Side,
) -> Result<Values, ConfigError> {
    let parsed = written.iter().map(|(name, text)| {
        let key = format!("{key}.{name}");
        let name = written_header(name, &key)?;
        if side == Side::Request && name == "cookie" && key.starts_with("request.add") {
            return Err(refuse(key, "cookies are no list: use `set`"));
        }
        let template = Template::parse(text, side).map_err(|reason| refuse(key, reason))?;
        Ok((name, template))
    });
    parsed.collect()
}

/// The headers to be removed that are written at `key`.
///
/// # Errors
///
/// The key of the first that will not do.
pub(crate) fn removed(written: &[String], key: &str) -> Result<Vec<String>, ConfigError> {
    let names = written.iter().enumerate();
    names
        .map(|(number, name)| written_header(name, &format!("{key}[{number}]")))
        .collect()
}
