//! The rules as they are written.

use std::collections::BTreeMap;

use gatewright_matching::{Listed, Size};
use serde::Deserialize;

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What becomes of a request that meets no rule; `allow` by default.
    #[serde(default)]
    pub default: Action,
    /// The first that a request meets decides.
    pub rules: Vec<Rule>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Let the request go on to the next policy.
    #[default]
    Allow,
    /// Answer it.
    Deny,
}

/// A rule: a request meets it if all that is written holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `allow` or `deny`.
    pub action: Action,
    /// The client is in one of these networks.
    #[serde(default)]
    pub network: Listed,
    /// The client is in none of these networks.
    #[serde(default)]
    pub not_network: Listed,
    /// One of these methods.
    #[serde(default)]
    pub method: Listed,
    /// One of these paths: `/exact`, `/prefix/*`, `/wild/*/card`.
    #[serde(default)]
    pub path: Listed,
    /// One of these user agents: exact, `*` for any, `~regular expression`, or
    /// `""` for none.
    #[serde(default)]
    pub user_agent: Listed,
    /// All of these headers: exact, `*` for any, or `~regular expression`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body is said to be longer.
    pub body_over: Option<Size>,
    /// The status of a denial; 403 by default, 413 with `body_over`.
    pub status: Option<u16>,
}
