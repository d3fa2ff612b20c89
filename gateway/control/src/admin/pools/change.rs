//! Creating, changing and deleting pools.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatewright_model::config::{Config, Key};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Described, described};
use crate::access::Who;
use crate::admin::algorithm::refuse_uploaded;
use crate::admin::asked::Named;
use crate::admin::body::Body;
use crate::admin::envelope::Success;
use crate::admin::fields::{Settings, default_pool, plugin_named, pool_of};
use crate::admin::precondition::{Expected, Outcome, outcome};
use crate::admin::servers::NewServer;
use crate::change::{Change, Edit, Refusal};
use crate::control::Control;

/// A pool to be created. Its other settings are the defaults, and are changed
/// like those of any pool.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewPool {
    #[schema(example = "shop")]
    pool: String,
    #[schema(example = "least_connections")]
    algorithm: Option<String>,
    health_check_enabled: Option<bool>,
    #[schema(example = "/health")]
    health_check_path: Option<String>,
    servers: Vec<NewServer>,
}

impl NewPool {
    fn change(&self, config: &Config) -> Result<Change, Refusal> {
        let name = &self.pool;
        if config.pools.iter().any(|pool| pool.name.as_str() == name) {
            return Err(Refusal::Conflict(format!("there is a pool {name} already")));
        }
        let key = Key::pool(name);
        let mut edits = vec![Edit::Set(key.clone(), self.written(config)?)];
        // The only pool is the default one without saying so; it stays that.
        let default = default_pool(config).map(|default| json!(default));
        edits.extend(default.map(|default| Edit::Set(Key::top("default_pool"), default)));
        Ok(Change {
            action: "pool.create",
            target: key.to_string(),
            edits,
        })
    }

    /// As a configuration file would say it.
    fn written(&self, config: &Config) -> Result<Value, Refusal> {
        let servers = self.servers.iter().map(NewServer::written);
        let mut pool = json!({ "servers": servers.collect::<Result<Vec<_>, _>>()? });
        if let Some(algorithm) = &self.algorithm {
            pool["balancer"] = json!(plugin_named(config, algorithm)?);
        }
        if self.health_check_enabled == Some(false) {
            if self.health_check_path.is_some() {
                let message = "the pool's servers are not checked; leave one of the two out";
                return Err(Refusal::field("healthCheckPath", message));
            }
            pool["health"] = json!(false);
        }
        if let Some(path) = &self.health_check_path {
            pool["health"] = json!({ "path": path });
        }
        Ok(pool)
    }
}

/// Create a pool.
///
/// It gets requests once a route of the configuration file names it.
#[utoipa::path(
    post, path = "/api/pools", operation_id = "createPool", tag = "pools",
    params(Expected),
    request_body = NewPool,
    responses(
        (status = CREATED, description = "It is there", body = Success<Outcome<Described>>, headers(("ETag"))),
        Body<NewPool>, Refusal, Expected,
    )
)]
pub(super) async fn add(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    expected: Expected,
    Body(new): Body<NewPool>,
) -> Result<Response, Refusal> {
    if let Some(refused) = refuse_uploaded(&control, &who, new.algorithm.as_deref()) {
        return Ok(refused);
    }
    let name = new.pool.clone();
    let make = move |config: &Config| new.change(config);
    let changed = control.change(who, expected.0, make).await?;
    let described = described(&control, &control.publisher.snapshot(), &name)?;
    Ok(outcome(&control, changed, StatusCode::CREATED, described))
}

/// Change a pool's settings.
///
/// Those that are left out stay as they are.
#[utoipa::path(
    put, path = "/api/pools/{pool}", operation_id = "changePool", tag = "pools",
    params(("pool" = String, Path, description = "The pool's name"), Expected),
    request_body = Settings,
    responses(
        (status = OK, description = "It is so", body = Success<Outcome<Described>>, headers(("ETag"))),
        Named, Body<Settings>, Refusal, Expected,
    )
)]
pub(super) async fn put(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Named(name): Named,
    expected: Expected,
    Body(settings): Body<Settings>,
) -> Result<Response, Refusal> {
    if let Some(refused) = refuse_uploaded(&control, &who, settings.algorithm.as_deref()) {
        return Ok(refused);
    }
    let (wanted, asked) = (name.clone(), Arc::clone(&control));
    let make = move |config: &Config| {
        let pool = pool_of(config, Some(&wanted))?;
        Ok(Change {
            action: "pool.change",
            target: Key::pool(&wanted).to_string(),
            edits: settings.edits(config, pool, &asked.desired())?,
        })
    };
    let changed = control.change(who, expected.0, make).await?;
    let described = described(&control, &control.publisher.snapshot(), &name)?;
    Ok(outcome(&control, changed, StatusCode::OK, described))
}

/// That a pool is there no more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RemovedPool)]
struct Removed {
    pool: String,
    removed: bool,
}

/// Delete a pool.
///
/// It is refused while anything leads there.
#[utoipa::path(
    delete, path = "/api/pools/{pool}", operation_id = "deletePool", tag = "pools",
    params(("pool" = String, Path, description = "The pool's name"), Expected),
    responses(
        (status = OK, description = "It is gone", body = Success<Outcome<Removed>>, headers(("ETag"))),
        Named, Refusal, Expected,
    )
)]
pub(super) async fn remove(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Named(name): Named,
    expected: Expected,
) -> Result<Response, Refusal> {
    let wanted = name.clone();
    let make = move |config: &Config| {
        pool_of(config, Some(&wanted))?;
        let key = Key::pool(&wanted);
        let is_default = default_pool(config).is_some_and(|name| name == wanted);
        if is_default && config.pools.len() > 1 {
            return Err(Refusal::Conflict(format!(
                "pool {wanted} is the default one; make another one that first: PUT /api/config \
                 with {{\"defaultPool\": …}}"
            )));
        }
        Ok(Change {
            action: "pool.delete",
            target: key.to_string(),
            edits: vec![Edit::Remove(key)],
        })
    };
    let changed = control.change(who, expected.0, make).await;
    let changed = changed.map_err(|refusal| match refusal {
        Refusal::Wrong(errors) => {
            Refusal::Conflict(format!("pool {name} cannot be deleted: {errors}"))
        }
        refusal => refusal,
    })?;
    let about = Removed {
        pool: name,
        removed: true,
    };
    Ok(outcome(&control, changed, StatusCode::OK, about))
}
