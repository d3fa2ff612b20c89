//! `plugins/dist/manifest.toml`: what each committed component is and which
//! sources it was built from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::source::Plugin;

const FILE: &str = "manifest.toml";

const HEADING: &str = "\
# The components in this folder. Written by `cargo xtask plugins`, checked by
# `cargo xtask plugins --check`.

";

/// The whole file.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Every component, by the plugin's name.
    #[serde(default)]
    pub(crate) plugins: BTreeMap<String, Entry>,
}

/// One component.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The world that it implements.
    pub(crate) role: String,
    /// The contract's interfaces that it calls.
    pub(crate) imports: Vec<String>,
    /// SHA-256 of the component.
    pub(crate) component: String,
    /// SHA-256 over its sources.
    pub(crate) sources: String,
}

impl Manifest {
    /// The manifest of a folder; an empty one where there is none.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be understood.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let Ok(text) = fs::read_to_string(folder.join(FILE)) else {
            return Ok(Self::default());
        };
        toml::from_str(&text).with_context(|| format!("cannot understand {FILE}"))
    }

    /// Forget the components of plugins that are no more.
    pub(crate) fn keep_only(&mut self, plugins: &[Plugin]) {
        self.plugins
            .retain(|name, _| plugins.iter().any(|plugin| plugin.name == *name));
    }

    /// Write the manifest into a folder.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let text = HEADING.to_owned() + &toml::to_string(self)?;
        fs::write(folder.join(FILE), text).with_context(|| format!("cannot write {FILE}"))
    }
}
