//! The walls between the crates: which packages may not appear in the tree of
//! which crate, however deep.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::cargo::{Metadata, Node};

/// Everything of the gateway, which plugins and the SDK never see.
const GATEWAY: [&str; 8] = [
    "gatewright",
    "gatewright-cluster",
    "gatewright-control",
    "gatewright-host",
    "gatewright-model",
    "gatewright-proxy",
    "gatewright-simulate",
    "gatewright-wire",
];

/// The SDK's package, which the gateway never sees.
const SDK: &str = "gatewright-plugin-sdk";

/// A crate, and the packages that it must not know.
const WALLS: [(&str, &[&str]); 8] = [
    (
        "gatewright-model",
        &["axum", "hyper", "tokio", "wasmtime", SDK],
    ),
    (
        "gatewright-wire",
        &["axum", "hyper", "tokio", "wasmtime", SDK],
    ),
    ("gatewright-host", &["axum", "http", "hyper", SDK]),
    ("gatewright-proxy", &["axum", "redb", "redis", SDK]),
    (
        "gatewright-simulate",
        &["axum", "http", "hyper", "tokio", SDK],
    ),
    ("gatewright-cluster", &["axum", "hyper", "wasmtime", SDK]),
    ("gatewright-control", &[SDK]),
    ("gatewright", &[SDK]),
];

/// Every dependency that reaches through a wall.
///
/// # Errors
///
/// When a crate that has walls is not in the workspace.
pub(super) fn breaches(metadata: &Metadata) -> Result<Vec<String>> {
    let tree = Tree::of(metadata)?;
    let mut found = Vec::new();
    for (name, forbidden) in WALLS {
        found.extend(tree.breaches_of(name, forbidden)?);
    }
    for guest in tree.guests() {
        found.extend(tree.breaches_of(guest, &GATEWAY)?);
    }
    Ok(found)
}

/// Who depends on whom, by name.
struct Tree<'a> {
    names: BTreeMap<&'a str, &'a str>,
    nodes: BTreeMap<&'a str, &'a Node>,
}

impl<'a> Tree<'a> {
    fn of(metadata: &'a Metadata) -> Result<Self> {
        let resolve = metadata
            .resolve
            .as_ref()
            .context("cargo did not resolve the dependencies")?;
        Ok(Self {
            names: metadata
                .packages
                .iter()
                .map(|package| (package.id.as_str(), package.name.as_str()))
                .collect(),
            nodes: resolve
                .nodes
                .iter()
                .map(|node| (node.id.as_str(), node))
                .collect(),
        })
    }

    /// The SDK, and every package that is built with it.
    fn guests(&self) -> Vec<&'a str> {
        let uses_sdk = |node: &Node| node.deps.iter().any(|edge| self.name(&edge.pkg) == SDK);
        self.nodes
            .values()
            .filter(|node| self.name(&node.id) == SDK || uses_sdk(node))
            .map(|node| self.name(&node.id))
            .collect()
    }

    fn name(&self, id: &str) -> &'a str {
        self.names.get(id).copied().unwrap_or_default()
    }

    fn breaches_of(&self, name: &str, forbidden: &[&str]) -> Result<Vec<String>> {
        let below = self.below(name)?;
        Ok(forbidden
            .iter()
            .filter(|package| below.contains(**package))
            .map(|package| format!("{name} must not depend on {package}, and does"))
            .collect())
    }

    /// Every package that ends up in builds of `name`. What only its tests use
    /// is none of its users' business.
    fn below(&self, name: &str) -> Result<BTreeSet<&'a str>> {
        let start = self
            .nodes
            .values()
            .find(|node| self.name(&node.id) == name)
            .with_context(|| format!("there is no crate {name}"))?;
        let mut open = vec![*start];
        let mut below = BTreeSet::new();
        while let Some(node) = open.pop() {
            let edges = node.deps.iter().filter(|edge| {
                edge.dep_kinds
                    .iter()
                    .any(|why| why.kind.as_deref() != Some("dev"))
            });
            for edge in edges {
                if below.insert(self.name(&edge.pkg)) {
                    open.extend(self.nodes.get(edge.pkg.as_str()));
                }
            }
        }
        Ok(below)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Tree;
    use crate::cargo::Metadata;

    fn tree() -> Metadata {
        let edge = |to: &str, kind: Option<&str>| json!({"pkg": to, "dep_kinds": [{"kind": kind}]});
        serde_json::from_value(json!({
            "packages": [
                {"id": "1", "name": "top"},
                {"id": "2", "name": "middle"},
                {"id": "3", "name": "bottom"},
                {"id": "4", "name": "test-only"},
            ],
            "target_directory": "target",
            "resolve": {"nodes": [
                {"id": "1", "deps": [edge("2", None), edge("4", Some("dev"))]},
                {"id": "2", "deps": [edge("3", Some("build"))]},
                {"id": "3", "deps": []},
                {"id": "4", "deps": []},
            ]},
        }))
        .unwrap()
    }

    #[test]
    fn a_package_is_seen_through_others_but_not_through_tests() {
        let metadata = tree();
        let tree = Tree::of(&metadata).unwrap();
        let breaches = tree.breaches_of("top", &["bottom", "test-only"]).unwrap();
        assert_eq!(breaches, ["top must not depend on bottom, and does"]);
        assert!(tree.breaches_of("missing", &[]).is_err());
    }
}
