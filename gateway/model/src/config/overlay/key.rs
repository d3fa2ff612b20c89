//! The name of a value in the configuration that stays right when others come
//! and go: servers by id, pools and policies by name.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::walk;
use crate::config::key_path::KeyPath;
use crate::config::tree::Node;

/// The name of a value, step by step: `pools`, `web`, `servers`,
/// `10.0.0.1:3000`, `weight`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Vec<String>);

impl Key {
    /// A key of the top level.
    pub fn top(key: &str) -> Self {
        Self(vec![key.to_owned()])
    }

    /// A whole pool.
    pub fn pool(pool: &str) -> Self {
        Self::top("pools").then(pool)
    }

    /// A whole server.
    pub fn server(pool: &str, id: &str) -> Self {
        Self::pool(pool).then("servers").then(id)
    }

    /// A whole policy.
    pub fn policy(policy: &str) -> Self {
        Self::top("policy").then(policy)
    }

    /// A key one step further in.
    #[must_use]
    pub fn then(mut self, step: &str) -> Self {
        self.0.push(step.to_owned());
        self
    }

    /// The steps from the top.
    pub(super) fn steps(&self) -> &[String] {
        &self.0
    }

    /// The value that a document has for it.
    pub(in crate::config) fn value_in(&self, root: &Node) -> Option<Value> {
        walk::value(root, &self.0)
    }

    /// How many steps there are.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// The keys that this one is within, itself included.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = Self> {
        (1..=self.0.len()).map(|length| Self(self.0[..length].to_vec()))
    }

    /// The steps from another key to this one, if this one is that key or is
    /// within it.
    pub(super) fn within(&self, outer: &Self) -> Option<&[String]> {
        self.0.strip_prefix(outer.0.as_slice())
    }

    /// Whether the object has fields of its own that both a file and an override
    /// may say, as a pool, a server and a plugin have. A binding is one whole:
    /// half of one would be another plugin's.
    pub(super) fn is_mergeable(&self) -> bool {
        let steps: Vec<_> = self.0.iter().map(String::as_str).collect();
        matches!(
            steps[..],
            ["pools" | "plugins", _] | ["pools", _, "servers", _]
        )
    }

    /// Whether one of the two is the other or is within it.
    pub fn touches(&self, other: &Self) -> bool {
        self.within(other).or(other.within(self)).is_some()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self
            .0
            .iter()
            .fold(KeyPath::default(), |path, step| path.key(step));
        path.fmt(f)
    }
}
