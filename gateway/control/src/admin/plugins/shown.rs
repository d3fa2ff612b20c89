//! Plugins and their versions as the API shows them.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright_host::{Component, Part, defaults};
use gatewright_model::config::{Config, PluginSource, Size};
use gatewright_model::id::{Digest, PluginName};
use gatewright_model::signature::KeyId;
use serde::Serialize;
use utoipa::ToSchema;

use super::key;
use crate::catalog::{Naming, built_in, naming};
use crate::change::Refusal;
use crate::control::Control;
use crate::store::{About, VersionRecord, VersionSource};
use crate::timestamp::Timestamp;

/// A plugin.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plugin {
    name: String,
    /// `default`, `file` or `upload`: who declared it.
    source: VersionSource,
    /// The version that bindings have that name none; none when that is what a
    /// file holds that is bound nowhere.
    #[schema(value_type = Option<String>)]
    version: Option<Digest>,
    version_count: usize,
    /// What that version says of itself.
    about: Option<About>,
    bound: Vec<Naming>,
    /// None for one that is declared no more.
    grants: Option<Vec<&'static str>>,
    /// The memory of an instance at most, such as `16MiB`.
    memory: Option<String>,
}

impl Plugin {
    pub(super) fn of(control: &Control, config: &Config, name: &PluginName) -> Self {
        let source = config.plugins.get(name);
        let built_in = built_in(name);
        let versions = control.catalog.versions(name).len() + usize::from(built_in.is_some());
        // What is bound nowhere and declared nowhere has what it would get.
        let usual = built_in.map(|_| PluginSource::usual());
        let granted = source.or(usual.as_ref());
        let grants = granted.map(|source| {
            let grants = source.grants.iter().map(|grant| grant.name());
            grants.collect()
        });
        let version = own_version(control, config, name);
        Self {
            name: name.to_string(),
            source: declared_by(control, config, name),
            version,
            about: version.and_then(|version| about(control, name, version)),
            version_count: versions,
            bound: naming(config, name),
            grants,
            memory: granted.map(|source| Size(source.memory).to_string()),
        }
    }
}

/// What a version can be bound as.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionRoles {
    #[schema(value_type = String)]
    version: Digest,
    roles: Vec<String>,
}

/// A plugin's versions with their roles, the oldest first, after that of the
/// default set.
pub(super) fn version_roles(control: &Control, name: &PluginName) -> Vec<VersionRoles> {
    let mut defaults = defaults().iter();
    let default = defaults.find(|default| default.name == name.as_str());
    let default = default.map(|default| VersionRoles {
        version: default.digest(),
        roles: default.roles().iter().map(ToString::to_string).collect(),
    });
    let kept = control.catalog.versions(name).into_iter();
    let kept = kept.map(|(version, record)| VersionRoles {
        version,
        roles: record.roles,
    });
    default.into_iter().chain(kept).collect()
}

/// Who declares a plugin; for one that nobody does any more, where its versions
/// came from.
pub(in crate::admin) fn declared_by(
    control: &Control,
    config: &Config,
    name: &PluginName,
) -> VersionSource {
    let desired = control.desired();
    if desired.overlay.adds(&key(name)) {
        return VersionSource::Upload;
    }
    let is_declared = desired.declared.value(&key(name)).is_some();
    match (
        is_declared,
        built_in(name),
        config.plugins.contains_key(name),
    ) {
        (false, Some(_), _) => VersionSource::Default,
        (true, ..) | (_, _, true) => VersionSource::File,
        (false, None, false) => VersionSource::Upload,
    }
}

/// The version that bindings have that name none.
pub(in crate::admin) fn own_version(
    control: &Control,
    config: &Config,
    name: &PluginName,
) -> Option<Digest> {
    let source = config.plugins.get(name);
    let has_file = source.is_some_and(|source| source.file.is_some());
    let uploaded = source.and_then(|source| source.version);
    match has_file {
        false => uploaded.or(built_in(name)),
        true => in_file(control, config, name),
    }
}

/// What a version says of itself, if it is known.
fn about(control: &Control, name: &PluginName, version: Digest) -> Option<About> {
    if let Some(record) = control.catalog.version(name, version) {
        return Some(record.about);
    }
    let mut defaults = defaults().iter();
    let default = defaults.find(|one| one.name == name.as_str() && one.digest() == version)?;
    Some(gatewright_host::About::of(default.component).into())
}

/// What a plugin's file holds, as far as a binding has it.
fn in_file(control: &Control, config: &Config, name: &PluginName) -> Option<Digest> {
    let plan = control.publisher.plan();
    let unpinned = naming(config, name).into_iter();
    let unpinned = unpinned.filter(|naming| naming.version.is_none());
    let seats: Vec<_> = unpinned.map(|naming| naming.binding).collect();
    let mut bound = plan.bindings().iter();
    let bound = bound.find(|binding| {
        let seat = super::stats::seat_of(binding);
        binding.plugin() == name && binding.part() == Part::Active && seats.contains(&seat)
    })?;
    Some(bound.stands_in_for().unwrap_or(bound.version()))
}

/// A version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Version)]
pub(super) struct VersionShown {
    pub(super) name: String,
    #[schema(value_type = String)]
    pub(super) version: Digest,
    source: VersionSource,
    /// None for the default set.
    uploaded_at: Option<Timestamp>,
    size: u64,
    uploader: Option<String>,
    /// Where it was fetched from, by its manifest's digest.
    reference: Option<String>,
    /// The key of `admin.plugin_keys` that it is signed with, by its id.
    signed_by: Option<String>,
    roles: Vec<String>,
    imports: Vec<String>,
    exports: Vec<String>,
    direct: bool,
    /// Whether this gateway has its code; where it does not, whoever binds it first
    /// waits for the compiler.
    compiled: bool,
    about: About,
    /// The places where it is named, or is the plugin's own and none is.
    bound: Vec<Naming>,
}

impl VersionShown {
    pub(super) fn of(
        (control, config, signers): (&Control, &Config, &Signers),
        name: &PluginName,
        (version, record): (Digest, VersionRecord),
    ) -> Self {
        Self {
            name: name.to_string(),
            version,
            source: record.source,
            uploaded_at: Some(record.at),
            size: record.size,
            uploader: record.uploader,
            reference: record.reference,
            signed_by: signers.get(&version).map(ToString::to_string),
            roles: record.roles,
            imports: record.imports,
            exports: record.exports,
            direct: record.direct,
            compiled: control.publisher.host().is_compiled(version),
            about: record.about,
            bound: bound_at(control, config, name, version),
        }
    }

    /// The version of a plugin of the default set.
    pub(super) fn built_in(
        control: &Control,
        config: &Config,
        name: &PluginName,
        component: &Component,
    ) -> Self {
        Self {
            name: name.to_string(),
            version: component.digest,
            source: VersionSource::Default,
            uploaded_at: None,
            size: component.size,
            uploader: None,
            reference: None,
            signed_by: None,
            roles: component.roles.iter().map(ToString::to_string).collect(),
            imports: component.imports.clone(),
            exports: component.exports.clone(),
            direct: component.is_direct,
            compiled: control.publisher.host().is_compiled(component.digest),
            about: component.about.clone().into(),
            bound: bound_at(control, config, name, component.digest),
        }
    }
}

/// Who has signed which versions, of those that are trusted.
pub(super) type Signers = HashMap<Digest, KeyId>;

/// Find out who has signed versions, which reads those that nobody has asked
/// for yet.
pub(super) async fn signers(
    control: &Control,
    config: &Config,
    digests: Vec<Digest>,
) -> Result<Signers, Refusal> {
    let keys = config.admin.plugin_keys.clone();
    if keys.is_empty() {
        return Ok(Signers::new());
    }
    let host = Arc::clone(control.publisher.host());
    let finding = tokio::task::spawn_blocking(move || {
        let signed = digests.into_iter();
        let signed = signed.filter_map(|digest| Some((digest, host.signer(digest, &keys)?)));
        signed.collect()
    });
    finding.await.map_err(|_| Refusal::Stopping)
}

/// Where a version is bound.
pub(super) fn bound_at(
    control: &Control,
    config: &Config,
    name: &PluginName,
    version: Digest,
) -> Vec<Naming> {
    let own = own_version(control, config, name);
    let bound = naming(config, name).into_iter();
    let is_it = |naming: &Naming| naming.version.or(own) == Some(version);
    bound.filter(is_it).collect()
}
