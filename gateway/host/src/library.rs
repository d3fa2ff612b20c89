//! The versions that the host has at hand, and which came after which.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gatewright_model::config::PluginSource;
use gatewright_model::id::{Digest, PluginName};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::admission::{self, COMPONENT_BYTES, Refusal};
use crate::cache::Cache;
use crate::code;
use crate::compile::Compiling;
use crate::defaults::defaults;
use crate::imports::Linkers;
use crate::version::Version;

/// Versions of a plugin that are kept to go back to.
const KEPT_VERSIONS: usize = 4;

/// The versions that the host has at hand.
pub(crate) struct Library {
    engine: Engine,
    linkers: Linkers,
    cache: Cache,
    compiling: Compiling,
    known: Mutex<HashMap<Digest, Weak<Version>>>,
    seated: Mutex<HashMap<PluginName, Vec<Arc<Version>>>>,
}

impl Library {
    pub(crate) fn new(
        engine: Engine,
        linkers: Linkers,
        cache: Cache,
        compiling: Compiling,
    ) -> Self {
        Self {
            engine,
            linkers,
            cache,
            compiling,
            known: Mutex::default(),
            seated: Mutex::default(),
        }
    }

    /// The version that a source holds now: from its file, or of the default
    /// set. Compiles it unless that was done before.
    pub(crate) fn version(
        &self,
        plugin: &PluginName,
        source: Option<&PluginSource>,
    ) -> Result<Arc<Version>, Refusal> {
        match source.and_then(|source| source.file.as_deref()) {
            Some(path) => self.version_of(&read(path)?),
            None => self.version_of(default(plugin)?),
        }
    }

    fn version_of(&self, bytes: &[u8]) -> Result<Arc<Version>, Refusal> {
        admission::is_component(bytes)?;
        let digest = Digest(Sha256::digest(bytes).into());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = known.get(&digest).and_then(Weak::upgrade) {
            return Ok(version);
        }
        // Compiling takes long; others need not wait for it.
        drop(known);
        let loaded = match self.cache.load(&self.engine, digest) {
            Some(loaded) => loaded,
            None => {
                let code = self.compiling.compile(&self.engine, bytes)?;
                self.cache.keep(digest, &code);
                code::load(&self.engine, &code)?
            }
        };
        let version = Arc::new(Version::new(digest, &loaded, &self.linkers)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, version| version.strong_count() > 0);
        known.insert(digest, Arc::downgrade(&version));
        Ok(version)
    }

    /// Remember that a version was seated, as the newest of its plugin.
    pub(crate) fn seated(&self, plugin: &PluginName, version: &Arc<Version>) {
        let mut seated = self.seated.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = seated.entry(plugin.clone()).or_default();
        versions.retain(|known| known.digest != version.digest);
        versions.push(Arc::clone(version));
        if versions.len() > KEPT_VERSIONS {
            versions.remove(0);
        }
    }

    /// The other versions of a plugin that were seated, the latest first.
    pub(crate) fn others(&self, plugin: &PluginName, than: Digest) -> Vec<Arc<Version>> {
        let seated = self.seated.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = seated.get(plugin).map_or(&[] as &[_], Vec::as_slice);
        let others = versions
            .iter()
            .rev()
            .filter(|version| version.digest != than);
        others.cloned().collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    let unreadable = |error| Refusal::Unreadable {
        path: path.to_owned(),
        error,
    };
    // A mistaken path may lead to something huge: ask before reading.
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > COMPONENT_BYTES {
        return Err(Refusal::TooLarge);
    }
    std::fs::read(path).map_err(unreadable)
}

fn default(plugin: &PluginName) -> Result<&'static [u8], Refusal> {
    let found = defaults()
        .iter()
        .find(|known| known.name == plugin.as_str());
    let component = found.map(|default| default.component);
    component.ok_or_else(|| {
        let known: Vec<_> = defaults().iter().map(|default| default.name).collect();
        let known = known.join(", ");
        Refusal::Unknown { known }
    })
}
