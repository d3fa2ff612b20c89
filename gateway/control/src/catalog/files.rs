//! The components in the data folder: what plugins' files have held becomes
//! versions, and what is no version goes.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use gatewright_host::{Brought, Component, Host, signature_beside};
use gatewright_model::config::PluginSource;
use gatewright_model::id::{Digest, PluginName};
use gatewright_model::snapshot::Snapshot;
use sha2::{Digest as _, Sha256};

use super::named;
use super::{built_in, naming};
use crate::change::{Arrival, Refusal};
use crate::cluster::{Attempts, ClusterError, Ticket};
use crate::control::{Control, entry_of_files};
use crate::keeper::Kept;
use crate::store::{Edited, Entry, Record, VersionRecord, VersionSource};
use crate::timestamp::Timestamp;
use crate::uploads::COMPONENT_BYTES as MOST;

/// Versions that a file has held and that nothing names which are kept, of each
/// plugin: enough to go back to after a day of trying.
const KEPT_OF_FILES: usize = 8;

impl VersionRecord {
    /// The record of a component that is there from now on.
    pub(crate) fn of(component: &Component, uploader: Option<String>) -> Self {
        Self {
            at: Timestamp::now(),
            size: component.size,
            source: match uploader {
                Some(_) => VersionSource::Upload,
                None => VersionSource::File,
            },
            uploader,
            roles: component.roles.iter().map(ToString::to_string).collect(),
            imports: component.imports.clone(),
            exports: component.exports.clone(),
            direct: component.is_direct,
            about: component.about.clone().into(),
            reference: None,
        }
    }
}

impl Control {
    /// Make versions of what plugins' files hold that decides now; the oldest
    /// that nothing names go. Only who has the turn may call it.
    pub(crate) async fn keep_file_versions(&self) {
        let new = self.unknown_file_versions();
        if new.is_empty() {
            return;
        }
        let host = Arc::clone(self.publisher.host());
        let describe = move || {
            let describe = |(plugin, digest)| describe(&host, plugin, digest);
            new.into_iter().map(describe).collect()
        };
        self.add_file_versions(describe).await;
    }

    /// Make versions of what plugins' files hold that no binding takes from
    /// there. Only who has the turn may call it.
    pub(crate) async fn take_in_unbound_files(&self) {
        let snapshot = self.publisher.snapshot();
        let config = &snapshot.config;
        let plugins = config.plugins.iter().filter(|(plugin, source)| {
            let named = naming(config, plugin);
            source.file.is_some() && named.iter().all(|naming| naming.version.is_some())
        });
        let plugins = plugins.map(|(plugin, source)| (plugin.clone(), source.clone()));
        let plugins: Vec<_> = plugins.collect();
        if plugins.is_empty() {
            return;
        }
        let host = Arc::clone(self.publisher.host());
        let known: BTreeSet<_> = plugins
            .iter()
            .flat_map(|(plugin, _)| self.catalog.versions(plugin))
            .map(|(digest, _)| digest)
            .collect();
        let taking = move || {
            let unbound = plugins.iter().map(|(plugin, source)| Unbound {
                plugin,
                source,
                known: &known,
            });
            let taken = unbound.filter_map(|one| one.take_in(&host, &snapshot).transpose());
            taken.collect()
        };
        self.add_file_versions(taking).await;
    }

    /// Which version each binding has from a file that is no version yet.
    fn unknown_file_versions(&self) -> Vec<(PluginName, Digest)> {
        let config = Arc::clone(&self.publisher.snapshot().config);
        let plan = self.publisher.plan();
        let bound = plan.bindings().iter();
        let bound = bound.map(|binding| (binding.plugin().clone(), binding.version()));
        let bound: BTreeSet<_> = bound.collect();
        let is_of_a_file = |plugin: &PluginName| {
            let source = config.plugins.get(plugin);
            source.is_some_and(|source| source.file.is_some())
        };
        let new = bound.into_iter().filter(|(plugin, digest)| {
            is_of_a_file(plugin)
                && built_in(plugin) != Some(*digest)
                && self.catalog.version(plugin, *digest).is_none()
        });
        new.collect()
    }

    /// Keep the versions that are found on a thread that may block.
    async fn add_file_versions(
        &self,
        find: impl FnOnce() -> Result<Vec<Found>, gatewright_host::Refusal> + Send + 'static,
    ) {
        let finding = tokio::task::spawn_blocking(find).await;
        let kept = match finding {
            Ok(Ok(found)) => self.keep_found(found).await,
            Ok(Err(refusal)) => Err(refusal.into()),
            Err(_) => Err(Refusal::Stopping),
        };
        if let Err(refusal) = kept {
            tracing::error!("what a plugin's file holds cannot be kept as a version: {refusal}");
        }
    }

    async fn keep_found(&self, found: Vec<Found>) -> Result<(), Refusal> {
        if found.is_empty() {
            return Ok(());
        }
        let target = found.iter();
        let target = target.map(|(plugin, digest, _)| format!("{plugin} {digest}"));
        let target = target.collect::<Vec<_>>().join(", ");
        let plugins: BTreeSet<_> = found.iter().map(|(plugin, ..)| plugin.clone()).collect();
        let old = plugins.iter().flat_map(|plugin| self.too_old(plugin));
        let old: Vec<_> = old.collect();
        let new = found.into_iter().map(|(plugin, digest, record)| {
            Record::Version(plugin, digest, Some(Box::new(record)))
        });
        let gone = old.iter().cloned();
        let gone = gone.map(|(plugin, digest)| Record::Version(plugin, digest, None));
        let records = new.chain(gone).collect();
        self.keep_records(records, entry_of_files("plugin.file", target))
            .await?;
        let old = old.into_iter().map(|(_, digest)| digest).collect();
        self.forget_components(old).await;
        Ok(())
    }

    /// Versions that a plugin's file held, beyond those that are kept.
    fn too_old(&self, plugin: &PluginName) -> Vec<(PluginName, Digest)> {
        let versions = self.catalog.versions(plugin).into_iter();
        let of_files = versions.filter(|(digest, version)| {
            version.source == VersionSource::File && !self.is_named(plugin, *digest)
        });
        // The one that gave way just now is among them.
        let mut digests: Vec<_> = of_files.map(|(digest, _)| digest).collect();
        digests.truncate(digests.len().saturating_sub(KEPT_OF_FILES));
        let too_old = digests.into_iter().map(|digest| (plugin.clone(), digest));
        too_old.collect()
    }

    /// Whether a binding in force has a version, or anything names it.
    pub(crate) fn is_named(&self, plugin: &PluginName, digest: Digest) -> bool {
        let config = &self.publisher.snapshot().config;
        let plan = self.publisher.plan();
        let named = naming(config, plugin).into_iter();
        let mut named = named.filter_map(|naming| naming.version);
        let mut bound = plan.bindings().iter();
        let own = config.plugins.get(plugin).and_then(|source| source.version);
        own == Some(digest)
            || named.any(|version| version == digest)
            || bound.any(|binding| {
                binding.version() == digest || binding.stands_in_for() == Some(digest)
            })
            || named::is_in(&self.desired().overlay, digest)
            || self.catalog.may_be_back(plugin, digest)
    }

    /// Write records, and take them over. Only who has the turn may call it.
    pub(crate) async fn keep_records(
        &self,
        records: Vec<Record>,
        entry: Entry,
    ) -> Result<(), Refusal> {
        let mut attempts = Attempts::at(self.keeper.cluster.as_ref());
        while attempts.another().await {
            let kept = self.keep_records_once(records.clone(), entry.clone(), attempts.ticket());
            match kept.await {
                // What others have changed says nothing of these records.
                Err(Refusal::Cluster(ClusterError::Moved)) => self.catch_up_in_turn().await?,
                kept => return kept,
            }
        }
        Err(ClusterError::Moved.into())
    }

    /// The same, unless other gateways were quicker: for records that what they have
    /// changed may speak against. Only who has the turn may call it.
    pub(crate) async fn keep_records_once(
        &self,
        records: Vec<Record>,
        entry: Entry,
        ticket: Option<Ticket>,
    ) -> Result<(), Refusal> {
        let overlay = self.desired().overlay.clone();
        let edited = Edited {
            before: overlay.clone(),
            after: overlay,
            records,
            entry,
        };
        let kept = Kept::Made(Box::new(edited), ticket);
        Ok(self.keeper.keep(kept).await?)
    }

    /// Have a component on the disk. Only who has the turn may call it: nobody
    /// forgets it then before it is a version.
    pub(crate) async fn keep_component(&self, arrival: Arrival) -> Result<(), Refusal> {
        let host = Arc::clone(self.publisher.host());
        let keeping =
            tokio::task::spawn_blocking(move || host.keep(arrival.digest, &arrival.brought()));
        Ok(keeping.await.map_err(|_| Refusal::Stopping)??)
    }

    /// Have components no more, but for those that are versions of some plugin
    /// or that anything names. Only who has the turn may call it. What is left
    /// over is cleared away at the next start.
    pub(crate) async fn forget_components(&self, mut digests: Vec<Digest>) {
        let plugins = self.publisher.snapshot().config.plugins.clone();
        digests.retain(|digest| {
            let is_named = plugins.keys().any(|plugin| self.is_named(plugin, *digest));
            !is_named && !self.catalog.holds(*digest)
        });
        if digests.is_empty() {
            return;
        }
        let host = Arc::clone(self.publisher.host());
        let forgetting = tokio::task::spawn_blocking(move || {
            for digest in digests {
                if let Err(error) = host.forget(digest) {
                    tracing::warn!(%digest, %error, "a component cannot be removed");
                }
            }
        });
        if let Err(error) = forgetting.await {
            tracing::warn!(%error, "components were not removed");
        }
    }

    /// Clear away components that are no versions: what an upload or a removal
    /// left that did not come to its end.
    pub(crate) async fn sweep_components(&self) {
        let host = Arc::clone(self.publisher.host());
        let listing = tokio::task::spawn_blocking(move || host.kept());
        let kept = listing.await.unwrap_or_else(|error| Err(error.into()));
        let kept = kept.unwrap_or_else(|error: io::Error| {
            tracing::warn!(%error, "the components in the data folder cannot be listed");
            Vec::new()
        });
        self.forget_components(kept).await;
    }
}

/// A version that a file holds.
type Found = (PluginName, Digest, VersionRecord);

fn describe(
    host: &Host,
    plugin: PluginName,
    digest: Digest,
) -> Result<Found, gatewright_host::Refusal> {
    let component = host.describe(&plugin, digest)?;
    let record = VersionRecord::of(&component, None);
    Ok((plugin, digest, record))
}

/// A plugin whose file no binding follows.
struct Unbound<'a> {
    plugin: &'a PluginName,
    source: &'a PluginSource,
    /// Versions that are there.
    known: &'a BTreeSet<Digest>,
}

impl Unbound<'_> {
    /// The version that the file holds; none for one that is known, or while
    /// there is no file.
    fn take_in(
        &self,
        host: &Host,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Option<Found>, gatewright_host::Refusal> {
        let file = self.source.file.as_deref();
        let Some(file) = file.filter(|file| is_of_a_size(file)) else {
            return Ok(None);
        };
        let Ok(component) = fs::read(file) else {
            return Ok(None);
        };
        let digest = Digest(Sha256::digest(&component).into());
        if self.known.contains(&digest) {
            return Ok(None);
        }
        let has_keys = !snapshot.config.admin.plugin_keys.is_empty();
        let signature = match signature_beside(file) {
            Err(refusal) if has_keys => return Err(refusal),
            found => found.ok().flatten(),
        };
        let brought = Brought {
            component: &component,
            signature: signature.as_ref(),
        };
        let taken = host.take_in(self.plugin, &brought, self.source, snapshot)?;
        host.keep(digest, &brought)?;
        let record = VersionRecord::of(&taken, None);
        Ok(Some((self.plugin.clone(), digest, record)))
    }
}

/// Whether a file is there and can be a component: a mistaken path may lead to
/// something huge.
fn is_of_a_size(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.len() <= MOST as u64)
}
