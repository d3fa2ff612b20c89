//! The versions that the host has at hand, and which came after which.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use gatewright_model::config::PluginSource;
use gatewright_model::id::{Digest, PluginName};
use gatewright_model::signature::{KeyId, PluginKey, PluginSignature, Unsigned};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::admission::{self, Refusal};
use crate::binding::{Binding, Place};
use crate::cache::Cache;
use crate::code;
use crate::compile::{Compiling, Queue};
use crate::defaults::defaults;
use crate::imports::Linkers;
use crate::shelf::Shelf;
use crate::trust::{Brought, FromFile, Verified};
use crate::version::Version;

/// Versions of a plugin that are kept to go back to.
const KEPT_VERSIONS: usize = 4;

/// The versions that the host has at hand.
pub(crate) struct Library {
    engine: Engine,
    linkers: Linkers,
    cache: Cache,
    shelf: Shelf,
    compiling: Compiling,
    verified: Verified,
    known: Mutex<HashMap<Digest, Weak<Version>>>,
    seated: Mutex<HashMap<Place, Vec<Arc<Version>>>>,
}

impl Library {
    pub(crate) fn new(
        engine: Engine,
        linkers: Linkers,
        (cache, shelf): (Cache, Shelf),
        compiling: Compiling,
    ) -> Self {
        Self {
            engine,
            linkers,
            cache,
            shelf,
            compiling,
            verified: Verified::default(),
            known: Mutex::default(),
            seated: Mutex::default(),
        }
    }

    /// A version of a plugin, or the one that its source holds now: its file's,
    /// the one that it was uploaded as, or the default set's. Compiles it unless
    /// that was done before, and keeps it.
    pub(crate) fn version(
        &self,
        plugin: &PluginName,
        source: Option<&PluginSource>,
        wanted: Option<Digest>,
        keys: &[PluginKey],
    ) -> Result<Arc<Version>, Refusal> {
        let file = source.and_then(|source| source.file.as_deref());
        let uploaded = source.and_then(|source| source.version);
        match (wanted, file, uploaded) {
            (Some(digest), ..) | (None, None, Some(digest)) => {
                self.version_at(plugin, file, digest, keys)
            }
            (None, Some(path), _) => self.take_in(plugin, path, keys),
            (None, None, None) => self.version_of(default(plugin)?),
        }
    }

    /// The version of a component's file, which is kept.
    fn take_in(
        &self,
        plugin: &PluginName,
        path: &Path,
        keys: &[PluginKey],
    ) -> Result<Arc<Version>, Refusal> {
        let mut file = FromFile::read(path)?;
        let digest = Digest(Sha256::digest(&file.component).into());
        // Nothing is compiled for who is not trusted. What is at hand may be in
        // force already, which is looked at where it is seated.
        if self.known(digest).is_none() && !is_default(plugin, digest) {
            file = file.check(keys)?;
        }
        let version = self.version_of(&file.component);
        let version = version.map_err(|refusal| refusal.of_file(path))?;
        self.keep(version.digest, &file.brought())?;
        Ok(version)
    }

    /// The signature that is kept with a component.
    pub(crate) fn signature(&self, digest: Digest) -> Option<String> {
        self.shelf.signature(digest)
    }

    /// Keep a component, unless it is, and its signature.
    pub(crate) fn keep(&self, digest: Digest, brought: &Brought<'_>) -> Result<(), Refusal> {
        let kept = self.shelf.load(digest).map(drop);
        let kept = kept.or_else(|_| self.shelf.keep(digest, brought.component));
        let signature = brought.signature.map(PluginSignature::text);
        let is_kept = |text: &&Arc<str>| self.shelf.signature(digest).as_deref() == Some(&***text);
        let signed = match signature.filter(|text| !is_kept(text)) {
            None => Ok(()),
            Some(text) => {
                self.verified.forget(digest);
                self.shelf.keep_signature(digest, text)
            }
        };
        kept.and(signed).map_err(Refusal::NotKept)
    }

    /// Which of the keys has signed a component that is kept.
    pub(crate) fn signer(&self, digest: Digest, keys: &[PluginKey]) -> Result<KeyId, Unsigned> {
        let signature = self.shelf.signature(digest);
        let load = || self.shelf.load(digest).ok();
        self.verified
            .signer(digest, keys, signature.as_deref(), load)
    }

    /// The version of a digest: kept, of the default set, or in the plugin's
    /// file now.
    pub(crate) fn version_at(
        &self,
        plugin: &PluginName,
        file: Option<&Path>,
        digest: Digest,
        keys: &[PluginKey],
    ) -> Result<Arc<Version>, Refusal> {
        // What is only at hand could not be had again after a restart.
        if let Some(version) = self.known(digest)
            && (self.shelf.has(digest) || is_default(plugin, digest))
        {
            return Ok(version);
        }
        match self.shelf.load(digest) {
            Ok(component) => return self.version_of(&component),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Refusal::Unkept { digest, error }),
        }
        if is_default(plugin, digest) {
            return self.version_of(default(plugin)?);
        }
        let in_file = file.map(|path| self.take_in(plugin, path, keys));
        let in_file = in_file.transpose()?;
        let found = in_file.filter(|version| version.digest == digest);
        found.ok_or(Refusal::NoSuchVersion { digest })
    }

    /// A component that is kept.
    pub(crate) fn component(&self, plugin: &PluginName, digest: Digest) -> io::Result<Vec<u8>> {
        match default(plugin) {
            Ok(component) if is_default(plugin, digest) => Ok(component.to_vec()),
            _ => self.shelf.load(digest),
        }
    }

    /// Keep a component no more.
    pub(crate) fn forget(&self, digest: Digest) -> io::Result<()> {
        self.cache.forget(digest);
        self.verified.forget(digest);
        self.shelf.forget(digest)
    }

    /// The digests of the components that are kept.
    pub(crate) fn kept(&self) -> io::Result<Vec<Digest>> {
        self.shelf.list()
    }

    fn known(&self, digest: Digest) -> Option<Arc<Version>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&digest).and_then(Weak::upgrade)
    }

    /// Keep no code of a component that was refused, unless it is kept itself.
    pub(crate) fn refuse(&self, plugin: &PluginName, component: &[u8]) {
        let digest = Digest(Sha256::digest(component).into());
        let is_kept = self.shelf.load(digest).is_ok() || is_default(plugin, digest);
        if !is_kept && self.known(digest).is_none() {
            self.cache.forget(digest);
        }
    }

    /// The version of a component that somebody brings.
    pub(crate) fn version_brought(&self, bytes: &[u8]) -> Result<Arc<Version>, Refusal> {
        self.compiled(bytes, Queue::Uploads)
    }

    /// The version of a component, compiled unless that was done before.
    fn version_of(&self, bytes: &[u8]) -> Result<Arc<Version>, Refusal> {
        self.compiled(bytes, Queue::Changes)
    }

    fn compiled(&self, bytes: &[u8], queue: Queue) -> Result<Arc<Version>, Refusal> {
        admission::is_component(bytes)?;
        let digest = Digest(Sha256::digest(bytes).into());
        if let Some(version) = self.known(digest) {
            return Ok(version);
        }
        let version = match self.cache.load(&self.engine, digest) {
            Some(loaded) => Version::new(digest, &loaded, &self.linkers)?,
            None => self.compile(bytes, digest, queue)?,
        };
        let version = Arc::new(version);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, version| version.strong_count() > 0);
        known.insert(digest, Arc::downgrade(&version));
        Ok(version)
    }

    /// Compile a component and keep its code, unless somebody does meanwhile.
    fn compile(&self, bytes: &[u8], digest: Digest, queue: Queue) -> Result<Version, Refusal> {
        let turn = self.compiling.turn(digest, queue);
        if let Some(loaded) = self.cache.load(&self.engine, digest) {
            return Version::new(digest, &loaded, &self.linkers);
        }
        let began = Instant::now();
        let code = turn.compile(&self.engine, bytes)?;
        let loaded = code::load(&self.engine, &code)?;
        let version = Version::new(digest, &loaded, &self.linkers)?;
        // Of what cannot be a plugin nothing is kept.
        self.cache.keep(digest, &code);
        let ms = began.elapsed().as_millis();
        tracing::info!(version = %digest.short(), ms, "a component was compiled");
        Ok(version)
    }

    /// Compile a version that is kept, as an upload, so that a change that binds it
    /// need not; nothing where that was done.
    pub(crate) fn compile_ahead(&self, digest: Digest, keys: &[PluginKey]) -> Result<(), Refusal> {
        if self.is_compiled(digest) {
            return Ok(());
        }
        // Nothing is compiled for who is not trusted.
        if !keys.is_empty() {
            let signed = self.signer(digest, keys);
            signed.map_err(|why| Refusal::unsigned(why, keys))?;
        }
        let component = self.shelf.load(digest);
        let component = component.map_err(|error| Refusal::Unkept { digest, error })?;
        let compiled = self.compiled(&component, Queue::Uploads);
        if !self.shelf.has(digest) {
            // It was removed meanwhile.
            self.cache.forget(digest);
        }
        compiled.map(drop)
    }

    /// Whether there is code of a version.
    pub(crate) fn is_compiled(&self, digest: Digest) -> bool {
        self.known(digest).is_some() || self.cache.has(digest)
    }

    /// Remember which versions decide now, as the newest of their places, and
    /// forget the places that are no more.
    pub(crate) fn seated<'b>(&self, bindings: impl Iterator<Item = &'b Arc<Binding>>) {
        let mut seated = self.seated.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *seated);
        for binding in bindings {
            let place = binding.place();
            let mut versions = before.remove(place).unwrap_or_default();
            versions.retain(|known| known.digest != binding.version.digest);
            versions.push(Arc::clone(&binding.version));
            if versions.len() > KEPT_VERSIONS {
                versions.remove(0);
            }
            seated.insert(place.clone(), versions);
        }
    }

    /// The other versions of a plugin that decided at a place, the latest first.
    pub(crate) fn others(&self, place: &Place, than: Digest) -> Vec<Arc<Version>> {
        let seated = self.seated.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = seated.get(place).map_or(&[] as &[_], Vec::as_slice);
        let others = versions
            .iter()
            .rev()
            .filter(|version| version.digest != than);
        others.cloned().collect()
    }
}

/// Whether a digest is that of a plugin of the default set.
pub(crate) fn is_default(plugin: &PluginName, digest: Digest) -> bool {
    default(plugin).is_ok_and(|component| digest == Digest(Sha256::digest(component).into()))
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
