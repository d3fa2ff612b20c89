//! The rules as they are written.

use std::collections::BTreeMap;

use gatewright_matching::{Listed, Size};
use serde::Deserialize;

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Every rule whose path matches must hold.
    pub rules: Vec<Rule>,
}

/// What is asked of requests for some paths.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// The paths: `/exact`, `/prefix/*`, `/wild/*/card`; every path by default.
    pub path: Listed,
    /// The methods that are taken; any by default.
    pub methods: Listed,
    /// Headers that must be there: exact, `*` for any value, or
    /// `~regular expression`.
    pub headers: BTreeMap<String, String>,
    /// The media types that a body may have, such as `application/json` or
    /// `text/*`.
    pub content_types: Listed,
    /// The longest body, by what it is said to be.
    pub body_max: Option<Size>,
    /// Whether a body's length must be said.
    pub length_required: bool,
}
