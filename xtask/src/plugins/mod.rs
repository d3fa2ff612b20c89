//! `cargo xtask plugins`: the default plugins' components, built from source
//! into `plugins/dist/`, where they are committed so that the gateway builds
//! with stable Rust alone.

mod build;
mod component;
mod manifest;
mod source;
mod toolchain;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace;
use manifest::{Entry, Manifest};
use source::Plugin;
use toolchain::{TARGET, Toolchain};

/// Where the components and their manifest lie.
pub(crate) const FOLDER: &str = "plugins/dist";

/// What `cargo xtask plugins` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Build nothing; fail when a plugin's source is newer than its component
    #[arg(long)]
    check: bool,
    /// Only these plugins, such as `round-robin` (default: all)
    names: Vec<String>,
}

/// Build the components, or check them.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace::root();
    if arguments.check {
        return check(&root);
    }
    let plugins = chosen(&root, &arguments.names)?;
    write_components(&root, &plugins, &root.join(FOLDER))
}

/// Fail when a committed component is not what its sources were built into.
///
/// # Errors
///
/// When that is so, or a file cannot be read.
pub(crate) fn check_committed() -> Result<()> {
    check(&workspace::root())
}

/// Build every component and its manifest into a folder of one's own, beside
/// the committed ones.
///
/// # Errors
///
/// When there is no compiler for them or it fails.
pub(crate) fn build_into(folder: &Path) -> Result<()> {
    let root = workspace::root();
    write_components(&root, &source::discover(&root)?, folder)
}

/// Make sure that the compiler at hand has the guests' target.
///
/// # Errors
///
/// When it has not and it cannot be installed.
pub(crate) fn need_target() -> Result<()> {
    match Toolchain::find()? {
        Toolchain::Installed => Ok(()),
        Toolchain::Debian => {
            bail!("run `rustup target add {TARGET}`: cargo has no target for guests")
        }
    }
}

fn write_components(root: &Path, plugins: &[Plugin], folder: &Path) -> Result<()> {
    let modules = build::modules(root, plugins)?;
    fs::create_dir_all(folder)?;
    let mut manifest = Manifest::read(folder)?;
    manifest.keep_only(&source::discover(root)?);
    for (plugin, module) in plugins.iter().zip(modules) {
        let bytes =
            component::encode(&module).with_context(|| format!("plugin {}", plugin.name))?;
        let imports = component::imports(&bytes)?;
        fs::write(folder.join(plugin.file()), &bytes)?;
        println!(
            "{:18} {:>7} bytes  imports {}",
            plugin.name,
            bytes.len(),
            imports.join(", ")
        );
        let entry = Entry {
            role: plugin.role.clone(),
            imports,
            component: workspace::sha256(&bytes),
            sources: plugin.digest(root)?,
        };
        manifest.plugins.insert(plugin.name.clone(), entry);
    }
    manifest.write(folder)
}

/// The plugins named on the command line, or all of them.
fn chosen(root: &Path, names: &[String]) -> Result<Vec<Plugin>> {
    let mut plugins = source::discover(root)?;
    for name in names {
        if !plugins.iter().any(|plugin| plugin.name == *name) {
            bail!("there is no plugin `{name}` in plugins/");
        }
    }
    if !names.is_empty() {
        plugins.retain(|plugin| names.contains(&plugin.name));
    }
    Ok(plugins)
}

/// Fail at the first plugin whose component is not what its sources were built
/// into.
fn check(root: &Path) -> Result<()> {
    let folder = root.join(FOLDER);
    let manifest = Manifest::read(&folder)?;
    for plugin in source::discover(root)? {
        let fault = match manifest.plugins.get(&plugin.name) {
            None => Some("has no component"),
            Some(entry) if entry.sources != plugin.digest(root)? => {
                Some("has sources newer than its component")
            }
            Some(entry) if !is_intact(&folder.join(plugin.file()), &entry.component) => {
                Some("has a component that is not the one in the manifest")
            }
            Some(_) => None,
        };
        if let Some(fault) = fault {
            bail!(
                "plugin `{}` {fault}: run `cargo xtask plugins`",
                plugin.name
            );
        }
    }
    Ok(())
}

fn is_intact(file: &Path, digest: &str) -> bool {
    fs::read(file).is_ok_and(|bytes| workspace::sha256(&bytes) == digest)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{FOLDER, check, component};
    use crate::workspace;

    #[test]
    fn every_component_is_built_from_the_sources_beside_it() {
        check(&workspace::root()).unwrap();
    }

    #[test]
    fn a_component_imports_only_what_its_code_calls() {
        let file = workspace::root().join(FOLDER).join("round-robin.wasm");
        let imports = component::imports(&fs::read(file).unwrap()).unwrap();
        // The log is where a panic's message goes.
        assert_eq!(imports, ["log", "request"]);
    }
}
