//! Compiling the guests: one call of cargo for all, in a target folder of its
//! own, so that it neither waits for nor holds up the main one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::source::Plugin;
use super::toolchain::{TARGET, Toolchain};

/// The profile in the root manifest, which is also its folder's name.
const PROFILE: &str = "plugin";

/// The core modules of the plugins, in their order.
///
/// # Errors
///
/// When there is no compiler for them or it fails.
pub(super) fn modules(root: &Path, plugins: &[Plugin]) -> Result<Vec<Vec<u8>>> {
    let toolchain = Toolchain::find()?;
    let folder = target_folder(root);
    let mut command = toolchain.cargo_build();
    command
        .current_dir(root)
        .args(["--locked", "--profile", PROFILE])
        .env("CARGO_TARGET_DIR", &folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root, &toolchain)?);
    for plugin in plugins {
        command.args(["--package", &plugin.package]);
    }
    if !command.status().context("cannot run cargo")?.success() {
        bail!("the plugins do not compile");
    }
    let modules = folder.join(TARGET).join(PROFILE);
    plugins
        .iter()
        .map(|plugin| {
            let file = modules.join(format!("{}.wasm", plugin.package.replace('-', "_")));
            fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
        })
        .collect()
}

fn target_folder(root: &Path) -> PathBuf {
    let main = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    main.join("plugins")
}

/// Flags that keep this machine's paths out of the components, so that two
/// builds in different places give the same bytes.
fn flags(root: &Path, toolchain: &Toolchain) -> Result<String> {
    let places = [
        (root.to_path_buf(), "/gatewright"),
        (cargo_home()?, "/cargo"),
        (toolchain.library_source()?, "/rust"),
    ];
    let remaps = places
        .iter()
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    // Cargo separates encoded flags by this character.
    Ok(remaps.collect::<Vec<_>>().join("\u{1f}"))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("there is no home folder")?;
    Ok(home.join(".cargo"))
}
