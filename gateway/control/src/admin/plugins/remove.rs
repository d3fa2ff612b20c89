//! Deleting versions and plugins: refused while anything is bound to them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use gatewright_model::config::Config;
use gatewright_model::id::{Digest, PluginName};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::shown::{bound_at, declared_by, own_version};
use super::{find, key, plain, resolve};
use crate::access::Who;
use crate::admin::asked::{Named, NamedWithin};
use crate::admin::envelope::Success;
use crate::admin::precondition::Expected;
use crate::catalog::{Naming, built_in, naming};
use crate::change::{Change, Edit, Recorded, Refusal};
use crate::control::Control;
use crate::store::{Record, Step, VersionSource};

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RemovedPlugin)]
pub(super) struct Removed {
    name: String,
    /// None for all of the plugin.
    #[schema(value_type = Option<String>)]
    version: Option<Digest>,
    /// `true`.
    removed: bool,
}

/// Delete a version.
///
/// Refused while it is bound anywhere.
#[utoipa::path(
    delete, path = "/api/plugins/{name}/versions/{version}", operation_id = "deleteVersion",
    tag = "plugins",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("version" = String, Path, description = "The first 8 or more digits of its digest"),
        Expected,
    ),
    responses(
        (status = OK, description = "It is gone", body = Success<Removed>),
        NamedWithin, Refusal, Expected,
    )
)]
pub(super) async fn version(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    NamedWithin(name, version): NamedWithin,
    expected: Expected,
) -> Result<Response, Refusal> {
    let name = find(&control, &control.publisher.snapshot().config, &name)?;
    let digest = resolve(&control, &name, &version)?;
    let (asked, plugin) = (Arc::clone(&control), name.clone());
    let make = move |config: &Config| version_removal(&asked, config, &plugin, digest);
    control.change_recorded(who, expected.0, make).await?;
    Ok(plain(Removed {
        name: name.to_string(),
        version: Some(digest),
        removed: true,
    }))
}

fn version_removal(
    control: &Control,
    config: &Config,
    plugin: &PluginName,
    digest: Digest,
) -> Result<Recorded, Refusal> {
    if built_in(plugin) == Some(digest) {
        let message = format!("version {digest} of {plugin} is built in and stays");
        return Err(Refusal::Conflict(message));
    }
    // Who asked at the same time may have been quicker.
    if control.catalog.version(plugin, digest).is_none() {
        let message = format!("plugin {plugin} has no version {digest}");
        return Err(Refusal::NotFound(message));
    }
    let what = format!("version {digest} of {plugin}");
    refuse_if_bound(&what, &bound_at(control, config, plugin, digest))?;
    let mut edits = Vec::new();
    let is_the_apis = declared_by(control, config, plugin) == VersionSource::Upload;
    if is_the_apis && own_version(control, config, plugin) == Some(digest) {
        let others = control.catalog.versions(plugin).into_iter();
        let newest = others
            .map(|(other, _)| other)
            .rfind(|other| *other != digest);
        let newest = newest.ok_or_else(|| {
            Refusal::Conflict(format!("{what} is its only one; delete the plugin"))
        })?;
        edits.push(Edit::Set(key(plugin).then("version"), json!(newest)));
    }
    let mut records = vec![Record::Version(plugin.clone(), digest, None)];
    let leads_there = |step: &Step| step.leads_to(plugin) && step.version == Some(digest);
    records.extend(control.catalog.histories_without(leads_there));
    Ok(Recorded {
        records,
        ..Recorded::from(Change {
            action: "plugin.delete",
            target: format!("{plugin} {digest}"),
            edits,
        })
    })
}

/// Delete a plugin with all its versions.
///
/// Refused while it is bound anywhere, and for what the default set or the
/// configuration file declares.
#[utoipa::path(
    delete, path = "/api/plugins/{name}", operation_id = "deletePlugin", tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name"), Expected),
    responses(
        (status = OK, description = "It is gone", body = Success<Removed>),
        Named, Refusal, Expected,
    )
)]
pub(super) async fn plugin(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Named(name): Named,
    expected: Expected,
) -> Result<Response, Refusal> {
    let name = find(&control, &control.publisher.snapshot().config, &name)?;
    let (asked, plugin) = (Arc::clone(&control), name.clone());
    let make = move |config: &Config| plugin_removal(&asked, config, &plugin);
    control.change_recorded(who, expected.0, make).await?;
    Ok(plain(Removed {
        name: name.to_string(),
        version: None,
        removed: true,
    }))
}

fn plugin_removal(
    control: &Control,
    config: &Config,
    plugin: &PluginName,
) -> Result<Recorded, Refusal> {
    let whose = match declared_by(control, config, plugin) {
        VersionSource::Default => "is of the default set",
        VersionSource::File => "is declared in the configuration file",
        VersionSource::Upload => "",
    };
    if !whose.is_empty() {
        let message = format!("{plugin} {whose}; its uploaded versions can be deleted one by one");
        return Err(Refusal::Conflict(message));
    }
    refuse_if_bound(plugin.as_str(), &naming(config, plugin))?;
    let versions = control.catalog.versions(plugin).into_iter();
    let versions = versions.map(|(digest, _)| Record::Version(plugin.clone(), digest, None));
    let histories = control
        .catalog
        .histories_without(|step| step.leads_to(plugin));
    Ok(Recorded {
        records: versions.chain(histories).collect(),
        ..Recorded::from(Change {
            action: "plugin.delete",
            target: plugin.to_string(),
            edits: vec![Edit::Remove(key(plugin))],
        })
    })
}

fn refuse_if_bound(what: &str, bound: &[Naming]) -> Result<(), Refusal> {
    let places = bound
        .iter()
        .map(|naming| format!("{} ({})", naming.binding, naming.part));
    match bound {
        [] => Ok(()),
        _ => {
            let places = places.collect::<Vec<_>>().join(", ");
            let message = format!("{what} is bound at {places}; bind something else there first");
            Err(Refusal::Conflict(message))
        }
    }
}
