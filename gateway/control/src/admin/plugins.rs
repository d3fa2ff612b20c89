//! `/api/plugins`: which plugins there are, in which versions, and where they
//! are bound.

mod logs;
mod remove;
mod shown;
mod stats;
mod upload;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gatewright_model::config::{Config, DEFAULT_PLUGINS, Key};
use gatewright_model::id::{Digest, PluginName};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::shown::{Plugin, VersionRoles, VersionShown, signers, version_roles};
pub(super) use self::shown::{declared_by, own_version};
use super::asked::{Named, NamedWithin};
use super::envelope::{Failure, Success, Unkept, success};
use super::precondition::tagged;
use crate::catalog::built_in;
use crate::change::Refusal;
use crate::control::Control;
use crate::uploads::{COMPONENT_BYTES, Upload};

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, upload::upload))
        .routes(routes!(one, remove::plugin))
        .routes(routes!(logs::logs))
        .routes(routes!(stats::stats))
        .routes(routes!(version, remove::version))
        .routes(routes!(download))
        .layer(DefaultBodyLimit::max(COMPONENT_BYTES))
}

/// A plugin, and what each of its versions can be bound as.
#[derive(Debug, Serialize, ToSchema)]
struct PluginWithRoles {
    #[serde(flatten)]
    plugin: Plugin,
    /// The oldest first.
    versions: Vec<VersionRoles>,
}

/// Every plugin, and what is on its way in.
#[derive(Debug, Serialize, ToSchema)]
struct Plugins {
    plugins: Vec<PluginWithRoles>,
    /// Uploads that wait or are compiled now.
    uploads: Vec<Upload>,
}

/// List the plugins.
///
/// With the uploads that are under way.
#[utoipa::path(
    get, path = "/api/plugins", operation_id = "listPlugins", tag = "plugins",
    responses(
        (status = OK, description = "The plugins", body = Success<Plugins>, headers(("ETag"))),
    )
)]
async fn list(State(control): State<Arc<Control>>) -> Response {
    let snapshot = control.publisher.snapshot();
    let names = known(&control, &snapshot.config).into_iter();
    let plugins = names.map(|name| PluginWithRoles {
        plugin: Plugin::of(&control, &snapshot.config, &name),
        versions: version_roles(&control, &name),
    });
    let list = Plugins {
        plugins: plugins.collect(),
        uploads: control.uploads.list(),
    };
    tagged(&control, snapshot.generation, StatusCode::OK, list)
}

/// A plugin with its versions.
#[derive(Debug, Serialize, ToSchema)]
struct PluginWithVersions {
    #[serde(flatten)]
    plugin: Plugin,
    /// The oldest first.
    versions: Vec<VersionShown>,
}

/// Show a plugin with its versions.
#[utoipa::path(
    get, path = "/api/plugins/{name}", operation_id = "showPlugin", tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name", example = "weighted")),
    responses(
        (status = OK, description = "The plugin", body = Success<PluginWithVersions>, headers(("ETag"))),
        (status = NOT_FOUND, description = "There is none", body = Failure),
        (status = UNPROCESSABLE_ENTITY, description = "A version cannot be had any more", body = Failure),
        Named, Unkept,
    )
)]
async fn one(State(control): State<Arc<Control>>, Named(name): Named) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    let name = find(&control, &snapshot.config, &name)?;
    let shown = PluginWithVersions {
        plugin: Plugin::of(&control, &snapshot.config, &name),
        versions: versions(&control, &snapshot.config, &name).await?,
    };
    Ok(tagged(&control, snapshot.generation, StatusCode::OK, shown))
}

/// Show a version.
#[utoipa::path(
    get, path = "/api/plugins/{name}/versions/{version}", operation_id = "showVersion",
    tag = "plugins",
    params(
        ("name" = String, Path, description = "The plugin's name", example = "weighted"),
        ("version" = String, Path, description = "The first 8 or more digits of its digest"),
    ),
    responses(
        (status = OK, description = "The version", body = Success<VersionShown>, headers(("ETag"))),
        (status = NOT_FOUND, description = "There is none", body = Failure),
        (status = UNPROCESSABLE_ENTITY, description = "It cannot be had any more", body = Failure),
        NamedWithin, Unkept,
    )
)]
async fn version(
    State(control): State<Arc<Control>>,
    NamedWithin(name, version): NamedWithin,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    let name = find(&control, &snapshot.config, &name)?;
    let digest = resolve(&control, &name, &version)?;
    let versions = versions(&control, &snapshot.config, &name).await?;
    let mut versions = versions.into_iter();
    let found = versions.find(|shown| shown.version == digest);
    let found = found.ok_or_else(|| Refusal::NotFound(format!("{name} has no {version}")))?;
    Ok(tagged(&control, snapshot.generation, StatusCode::OK, found))
}

/// A component's bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it is only described")]
struct Component(Vec<u8>);

/// Download a version's component.
#[utoipa::path(
    get, path = "/api/plugins/{name}/versions/{version}/download",
    operation_id = "downloadVersion", tag = "plugins",
    params(
        ("name" = String, Path, description = "The plugin's name", example = "weighted"),
        ("version" = String, Path, description = "The first 8 or more digits of its digest"),
    ),
    responses(
        (status = OK, description = "The component", body = Component, content_type = "application/wasm"),
        (status = NOT_FOUND, description = "There is none", body = Failure),
        NamedWithin, Unkept,
    )
)]
async fn download(
    State(control): State<Arc<Control>>,
    NamedWithin(name, version): NamedWithin,
) -> Result<Response, Refusal> {
    let name = find(&control, &control.publisher.snapshot().config, &name)?;
    let digest = resolve(&control, &name, &version)?;
    let host = Arc::clone(control.publisher.host());
    let plugin = name.clone();
    let reading = tokio::task::spawn_blocking(move || host.component(&plugin, digest));
    let component = reading.await.map_err(|_| Refusal::Stopping)?;
    let component = component.map_err(|error| {
        Refusal::NotFound(format!(
            "version {digest} of {name} cannot be read: {error}"
        ))
    })?;
    let file = format!("attachment; filename=\"{name}-{}.wasm\"", digest.short());
    let headers = [
        (header::CONTENT_TYPE, "application/wasm".to_owned()),
        (header::CONTENT_DISPOSITION, file),
    ];
    Ok((headers, component).into_response())
}

/// Every plugin: of the default set, declared, or with versions of its own.
fn known(control: &Control, config: &Config) -> BTreeSet<PluginName> {
    let defaults = DEFAULT_PLUGINS.into_iter().map(PluginName::from);
    let declared = config.plugins.keys().cloned();
    let uploaded = control.catalog.plugins();
    defaults.chain(declared).chain(uploaded).collect()
}

fn find(control: &Control, config: &Config, name: &str) -> Result<PluginName, Refusal> {
    let mut known = known(control, config).into_iter();
    let found = known.find(|known| known.as_str() == name);
    found.ok_or_else(|| Refusal::NotFound(format!("there is no plugin {name}")))
}

/// A version that must be there.
fn resolve(control: &Control, plugin: &PluginName, text: &str) -> Result<Digest, Refusal> {
    let resolved = control.catalog.resolve(plugin, text);
    resolved.map_err(Refusal::NotFound)
}

/// A plugin's versions, the oldest first, after that of the default set.
async fn versions(
    control: &Control,
    config: &Config,
    plugin: &PluginName,
) -> Result<Vec<VersionShown>, Refusal> {
    let mut versions = Vec::new();
    if let Some(digest) = built_in(plugin) {
        let host = Arc::clone(control.publisher.host());
        let name = plugin.clone();
        // It may have to be compiled, once.
        let describing = tokio::task::spawn_blocking(move || host.describe(&name, digest));
        let component = describing.await.map_err(|_| Refusal::Stopping)??;
        versions.push(VersionShown::built_in(control, config, plugin, &component));
    }
    let kept = control.catalog.versions(plugin);
    let digests = kept.iter().map(|(digest, _)| *digest).collect();
    let signers = signers(control, config, digests).await?;
    let shown = kept
        .into_iter()
        .map(|version| VersionShown::of((control, config, &signers), plugin, version));
    versions.extend(shown);
    Ok(versions)
}

/// The key that declares a plugin.
fn key(plugin: &PluginName) -> Key {
    Key::top("plugins").then(plugin.as_str())
}

/// Answer with this, about no state of the configuration.
fn plain(data: impl Serialize) -> Response {
    success(data).into_response()
}
