//! `/api/pools`: pools with their settings and servers.

mod change;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use gatewright_model::config::Key;
use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;
use serde::Serialize;

use super::asked::Named;
use super::fields::Shown;
use super::precondition::tagged;
use crate::change::Refusal;
use crate::control::Control;
use crate::desired::Desired;

pub(super) fn routes() -> Router<Arc<Control>> {
    let one = get(one).put(change::put).delete(change::remove);
    Router::new()
        .route("/api/pools", get(list).post(change::add))
        .route("/api/pools/{pool}", one)
}

/// A pool as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    pool: String,
    /// Whether requests go there that the router has no opinion on.
    is_default: bool,
    #[serde(flatten)]
    settings: Shown,
    servers: Vec<String>,
    /// Servers that may take a request now.
    active_servers: usize,
    /// Who declared it: `file` or `api`.
    source: &'static str,
}

impl Described {
    fn of(snapshot: &Snapshot, desired: &Desired, pool: &Pool) -> Self {
        let servers = pool.endpoints().map(|endpoint| endpoint.id.to_string());
        Self {
            pool: pool.name.to_string(),
            is_default: snapshot.config.default_pool == Some(pool.index),
            settings: Shown::of(&pool.config),
            servers: servers.collect(),
            active_servers: pool.available(),
            source: desired.source(&Key::pool(pool.name.as_str())),
        }
    }
}

async fn list(State(control): State<Arc<Control>>) -> Response {
    let snapshot = control.publisher.snapshot();
    let desired = control.desired();
    let pools = snapshot.pools.iter();
    let pools = pools.map(|pool| Described::of(&snapshot, &desired, pool));
    let pools: Vec<_> = pools.collect();
    tagged(&control, snapshot.generation, StatusCode::OK, pools)
}

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
