//! The default plugins as they lie in the work tree, and the digest of all that
//! decides what a plugin's component holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::SourceDigest;

/// The folder of the SDK, which every plugin is built with.
const SDK: &str = "plugin-sdk";

/// A plugin's crate.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// The folder's name, such as `round-robin`.
    pub(crate) name: String,
    /// The package's name.
    pub(crate) package: String,
    /// The world that it implements, from its `package.metadata.gatewright`.
    pub(crate) role: String,
}

impl Plugin {
    /// The name of its component's file.
    pub(crate) fn file(&self) -> String {
        format!("{}.wasm", self.name)
    }

    /// A digest of its sources, the SDK's, those of the libraries in `plugins/`
    /// that it uses, the profile it is built with and the locked versions of
    /// what all of them depend on. The contract is in it through
    /// the SDK's bindings; unit tests and the fake host are not.
    pub(crate) fn digest(&self, root: &Path) -> Result<String> {
        let workspace: Workspace = read(root, "Cargo.toml")?;
        let own = format!("plugins/{}", self.name);
        let libraries = libraries(root, &own)?;
        let mut built = vec![own.as_str(), SDK];
        built.extend(libraries.iter().map(String::as_str));
        let locked = locked_dependencies(root, &built)?;
        let mut digest = SourceDigest::default()
            .folder(root, &format!("{own}/src"), is_compiled)?
            .folder(root, &format!("{SDK}/src"), is_compiled)?
            .part("manifest", &fs::read(root.join(&own).join("Cargo.toml"))?)
            .part(
                "sdk-manifest",
                &fs::read(root.join(SDK).join("Cargo.toml"))?,
            )
            .part("profile", workspace.profile.plugin.to_string().as_bytes())
            .part("locked", locked.join("\n").as_bytes());
        for library in &libraries {
            digest = digest
                .folder(root, &format!("{library}/src"), is_compiled)?
                .part(library, &fs::read(root.join(library).join("Cargo.toml"))?);
        }
        Ok(digest.finish())
    }
}

/// Whether a source file's code can reach a component.
fn is_compiled(name: &str) -> bool {
    !name.ends_with("/tests.rs") && !name.contains("/testing/")
}

/// The folders of the libraries in `plugins/` that a plugin is built with,
/// which do not use one another.
fn libraries(root: &Path, plugin: &str) -> Result<Vec<String>> {
    let manifest: Crate = read(root, &format!("{plugin}/Cargo.toml"))?;
    let paths = manifest.dependencies.values();
    let paths = paths.filter_map(|dependency| dependency.get("path")?.as_str());
    let beside = paths.filter_map(|path| path.strip_prefix("../"));
    let beside = beside.filter(|path| !path.starts_with("../"));
    Ok(beside.map(|name| format!("plugins/{name}")).collect())
}

/// Every plugin in `plugins/`, by name. A crate without a role is a library.
pub(crate) fn discover(root: &Path) -> Result<Vec<Plugin>> {
    let mut plugins = Vec::new();
    for entry in fs::read_dir(root.join("plugins"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().join("Cargo.toml").is_file() {
            continue;
        }
        let manifest: Crate = read(root, &format!("plugins/{name}/Cargo.toml"))?;
        let Some(Gatewright { role }) = manifest.package.metadata.gatewright else {
            continue;
        };
        plugins.push(Plugin {
            name,
            package: manifest.package.name,
            role,
        });
    }
    plugins.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(plugins)
}

/// `name version checksum` of all that the crates in `folders` are built with.
/// Only what their manifests list under `dependencies` is followed, for the
/// lock file does not tell test dependencies apart.
fn locked_dependencies(root: &Path, folders: &[&str]) -> Result<Vec<String>> {
    let lock: Lock = read(root, "Cargo.lock")?;
    let mut open = Vec::new();
    for folder in folders {
        let manifest: Crate = read(root, &format!("{folder}/Cargo.toml"))?;
        open.extend(manifest.dependencies.keys().cloned());
    }
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(dependency) = open.pop() {
        if !seen.insert(dependency.clone()) {
            continue;
        }
        for package in lock
            .package
            .iter()
            .filter(|package| package.is(&dependency))
        {
            // The workspace's own packages have no checksum; their sources count.
            if let Some(checksum) = &package.checksum {
                found.insert(format!("{} {} {checksum}", package.name, package.version));
                open.extend(package.dependencies.iter().cloned());
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn read<T: serde::de::DeserializeOwned>(root: &Path, file: &str) -> Result<T> {
    let text =
        fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
    toml::from_str(&text).with_context(|| format!("cannot understand {file}"))
}

#[derive(Deserialize)]
struct Crate {
    package: Package,
    #[serde(default)]
    dependencies: toml::Table,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    gatewright: Option<Gatewright>,
}

#[derive(Deserialize)]
struct Gatewright {
    role: String,
}

#[derive(Deserialize)]
struct Workspace {
    profile: Profiles,
}

#[derive(Deserialize)]
struct Profiles {
    plugin: toml::Table,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Locked {
    /// Whether a lock file's reference, `name` or `name version`, means this.
    fn is(&self, reference: &str) -> bool {
        match reference.split_once(' ') {
            Some((name, version)) => self.name == name && self.version == version,
            None => self.name == reference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{discover, libraries, locked_dependencies};
    use crate::workspace;

    #[test]
    fn test_dependencies_are_not_part_of_a_component() {
        let root = workspace::root();
        let locked = locked_dependencies(&root, &["plugins/round-robin", "plugin-sdk"]).unwrap();
        assert!(locked.iter().any(|entry| entry.starts_with("serde_json ")));
        assert!(!locked.iter().any(|entry| entry.starts_with("proptest ")));
    }

    #[test]
    fn what_a_plugin_shares_with_others_is_part_of_it() {
        let root = workspace::root();
        let of = |plugin| libraries(&root, plugin).unwrap();
        assert_eq!(of("plugins/path-router"), ["plugins/matching"]);
        assert!(of("plugins/ip-hash").is_empty());
        let plugins = discover(&root).unwrap();
        assert!(plugins.iter().all(|plugin| plugin.name != "matching"));
    }

    #[test]
    fn every_plugin_says_its_role() {
        let plugins = discover(&workspace::root()).unwrap();
        assert!(!plugins.is_empty());
        for plugin in plugins {
            assert!(!plugin.role.is_empty(), "{plugin:?}");
        }
    }
}
