//! `/api/pools`: pools with their settings and servers.

mod change;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatewright_model::config::Key;
use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::Named;
use super::envelope::{Failure, Success};
use super::fields::Shown;
use super::precondition::tagged;
use crate::change::Refusal;
use crate::control::Control;
use crate::desired::{DeclaredBy, Desired};

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, change::add))
        .routes(routes!(one, change::put, change::remove))
}

/// A pool as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Pool)]
struct Described {
    pool: String,
    /// Whether requests go there that the router has no opinion on.
    is_default: bool,
    #[serde(flatten)]
    settings: Shown,
    servers: Vec<String>,
    /// Servers that may take a request now.
    active_servers: usize,
    /// Whether so few servers are well that all get requests.
    panicking: bool,
    /// Requests that wait for a server that has room.
    waiting: usize,
    /// Requests that have waited in vain.
    wait_timeouts: u64,
    /// Requests that found no place to wait in.
    overflows: u64,
    /// Both of these: requests that were refused since no server had room.
    shed: u64,
    /// Who declared it.
    source: DeclaredBy,
}

impl Described {
    fn of(snapshot: &Snapshot, desired: &Desired, pool: &Pool) -> Self {
        let servers = pool.endpoints().map(|endpoint| endpoint.id.to_string());
        let queue = pool.state.queue().figures();
        Self {
            pool: pool.name.to_string(),
            is_default: snapshot.config.default_pool == Some(pool.index),
            settings: Shown::of(&pool.config),
            servers: servers.collect(),
            active_servers: pool.available(),
            panicking: pool.state.is_panicking(),
            waiting: queue.waiting,
            wait_timeouts: queue.overdue,
            overflows: queue.refused,
            shed: queue.shed(),
            source: desired.declared_by(&Key::pool(pool.name.as_str())),
        }
    }
}

/// List the pools.
#[utoipa::path(
    get, path = "/api/pools", operation_id = "listPools", tag = "pools",
    responses(
        (status = OK, description = "The pools", body = Success<Vec<Described>>, headers(("ETag"))),
    )
)]
async fn list(State(control): State<Arc<Control>>) -> Response {
    let snapshot = control.publisher.snapshot();
    let desired = control.desired();
    let pools = snapshot.pools.iter();
    let pools = pools.map(|pool| Described::of(&snapshot, &desired, pool));
    let pools: Vec<_> = pools.collect();
    tagged(&control, snapshot.generation, StatusCode::OK, pools)
}

/// Show a pool.
#[utoipa::path(
    get, path = "/api/pools/{pool}", operation_id = "showPool", tag = "pools",
    params(("pool" = String, Path, description = "The pool's name")),
    responses(
        (status = OK, description = "The pool", body = Success<Described>, headers(("ETag"))),
        (status = NOT_FOUND, description = "There is none", body = Failure),
        Named,
    )
)]
async fn one(State(control): State<Arc<Control>>, Named(name): Named) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    let described = described(&control, &snapshot, &name)?;
    Ok(tagged(
        &control,
        snapshot.generation,
        StatusCode::OK,
        described,
    ))
}

fn described(control: &Control, snapshot: &Snapshot, name: &str) -> Result<Described, Refusal> {
    let pool = snapshot.pool_named(name);
    let pool = pool.ok_or_else(|| Refusal::NotFound(format!("there is no pool {name}")))?;
    Ok(Described::of(snapshot, &control.desired(), pool))
}
