//! Every plugin that is shipped has a property that its component is held to.

use std::collections::BTreeSet;
use std::path::Path;

use crate::affinities::AFFINITIES;
use crate::balancers::balancers;

/// Where properties name the plugin that they ask, and the call in which they do.
const NAMING: [(&str, &str); 3] = [
    (include_str!("networks.rs"), "bound(\""),
    (include_str!("policies.rs"), "bound(\""),
    (include_str!("routes.rs"), "config(\""),
];

/// A file's properties, without comments.
fn properties(text: &str) -> String {
    let (_, properties) = text.split_once("\nproptest! {\n").unwrap();
    let (properties, _) = properties.split_once("\n}\n").unwrap();
    let lines = properties.lines();
    let lines = lines.map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    lines.collect::<Vec<_>>().join("\n")
}

/// The plugins that properties ask.
fn asked() -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    for (text, call) in NAMING {
        let properties = properties(text);
        let named = properties.split(call).skip(1);
        let named = named.filter_map(|rest| rest.split_once('"'));
        asked.extend(named.map(|(name, _)| name.to_owned()));
    }
    // These ask each of several.
    if properties(include_str!("affinities.rs")).contains(" in AFFINITIES {") {
        asked.extend(AFFINITIES.iter().map(|(name, _)| (*name).to_owned()));
    }
    if properties(include_str!("balancers.rs")).contains(" in balancers() {") {
        asked.extend(balancers().map(str::to_owned));
    }
    asked
}

#[test]
fn every_plugin_that_is_shipped_is_asked_by_a_property() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist/manifest.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let shipped = manifest.lines().filter_map(|line| {
        let name = line.strip_prefix("[plugins.")?;
        name.strip_suffix(']').map(str::to_owned)
    });
    let shipped: BTreeSet<String> = shipped.collect();
    assert_eq!(shipped, asked());
}
