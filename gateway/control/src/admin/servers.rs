//! `/api/servers`: every server of every pool.
//!
//! The same host and port may be in several pools. A change of a server is one
//! of it in all of them, unless `?pool=` names one.

mod change;
mod health;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use gatewright_model::config::Key;
use gatewright_model::endpoint::Endpoint;
use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;
use serde::Serialize;

use super::asked::{Asked, InPool, Named};
use super::envelope::success;
use super::precondition::tagged;
use crate::change::Refusal;
use crate::control::Control;
use crate::desired::Desired;
use crate::overview::{ServerFigures, server};
use crate::timestamp::Timestamp;

pub(super) use change::NewServer;

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/api/servers", get(list).post(change::add))
        .route("/api/servers/{id}", get(one).delete(change::remove))
        .route("/api/servers/{id}/weight", put(change::weigh))
        .route("/api/servers/{id}/drain", post(change::drain))
        .route("/api/servers/{id}/enable", post(change::enable))
        .route("/api/servers/{id}/health", get(health::health))
        .route("/api/server-stats", get(stats))
}

/// A server as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Server {
    server_id: String,
    pool: String,
    host: String,
    port: u16,
    weight: u16,
    /// `healthy`, `unhealthy` or `unknown`.
    status: &'static str,
    draining: bool,
    active_connections: u32,
    total_requests: u64,
    failed_requests: u64,
    /// In milliseconds; none before the first response.
    response_time: Option<f64>,
    added_at: Option<Timestamp>,
    last_health_check: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    /// None when the pool's servers are not checked.
    health_check_path: Option<String>,
    /// In seconds.
    health_check_interval: Option<f64>,
    /// Who declared it: `file` or `api`.
    source: &'static str,
}

/// Pool by pool, in the order of their slots.
async fn list(State(control): State<Arc<Control>>, Asked(wanted): Asked<InPool>) -> Response {
    let snapshot = control.publisher.snapshot();
    let desired = control.desired();
    let servers = members(&snapshot, wanted.pool.as_deref())
        .map(|(pool, endpoint)| Server::of(&control, &desired, pool, endpoint));
    let servers: Vec<_> = servers.collect();
    tagged(&control, snapshot.generation, StatusCode::OK, servers)
}

/// One server: of the default pool if it is in several.
async fn one(
    State(control): State<Arc<Control>>,
    Named(id): Named,
    Asked(wanted): Asked<InPool>,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    let (pool, endpoint) = find(&snapshot, &id, wanted.pool.as_deref())?;
    let server = Server::of(&control, &control.desired(), pool, endpoint);
    Ok(tagged(
        &control,
        snapshot.generation,
        StatusCode::OK,
        server,
    ))
}

/// What a chart polls of a server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    id: String,
    pool: String,
    address: String,
    health: &'static str,
    active_connections: u32,
    total_requests: u64,
    /// In milliseconds; none before the first response.
    response_time: Option<f64>,
    weight: u16,
}

async fn stats(State(control): State<Arc<Control>>, Asked(wanted): Asked<InPool>) -> Response {
    let snapshot = control.publisher.snapshot();
    let stats = members(&snapshot, wanted.pool.as_deref()).map(|(pool, endpoint)| {
        let figures = server(pool, endpoint);
        Stats {
            id: figures.id.to_string(),
            pool: figures.pool.to_string(),
            address: figures.id.to_string(),
            health: figures.health.name(),
            active_connections: figures.active,
            total_requests: figures.requests,
            response_time: figures.mean_ms,
            weight: figures.weight,
        }
    });
    success(stats.collect::<Vec<_>>()).into_response()
}

/// Every server with its pool, or those of one pool.
fn members<'a>(
    snapshot: &'a Snapshot,
    wanted: Option<&str>,
) -> impl Iterator<Item = (&'a Arc<Pool>, &'a Arc<Endpoint>)> {
    let is_wanted = move |pool: &&Arc<Pool>| wanted.is_none_or(|name| name == pool.name.as_str());
    let pools = snapshot.pools.iter().filter(is_wanted);
    pools.flat_map(|pool| pool.endpoints().map(move |endpoint| (pool, endpoint)))
}

/// A server by its id: in a pool that is named, or else in the default pool, or
/// else in the first that has it.
fn find<'a>(
    snapshot: &'a Snapshot,
    id: &str,
    wanted: Option<&str>,
) -> Result<(&'a Arc<Pool>, &'a Arc<Endpoint>), Refusal> {
    let found = members(snapshot, wanted).filter(|(_, endpoint)| endpoint.id.as_str() == id);
    let is_default = |pool: &Pool| Some(pool.index) == snapshot.config.default_pool;
    let nearest = found.min_by_key(|(pool, _)| !is_default(pool));
    nearest.ok_or_else(|| unknown(id, wanted))
}

fn unknown(id: &str, pool: Option<&str>) -> Refusal {
    Refusal::NotFound(match pool {
        Some(pool) => format!("pool {pool} has no server {id}"),
        None => format!("there is no server {id}"),
    })
}

impl Server {
    fn of(control: &Control, desired: &Desired, pool: &Pool, endpoint: &Endpoint) -> Self {
        let figures: ServerFigures = server(pool, endpoint);
        let entry = control.roster.entry(&pool.name, &endpoint.id);
        let check = endpoint.health.as_ref();
        let key = Key::server(pool.name.as_str(), endpoint.id.as_str());
        Self {
            server_id: figures.id.to_string(),
            pool: figures.pool.to_string(),
            host: figures.host.to_string(),
            port: figures.port,
            weight: figures.weight,
            status: figures.health.name(),
            draining: figures.draining,
            active_connections: figures.active,
            total_requests: figures.requests,
            failed_requests: figures.failures,
            response_time: figures.mean_ms,
            added_at: entry.as_ref().map(|entry| entry.added),
            last_health_check: endpoint.state.last_check().map(Timestamp),
            last_seen: entry.and_then(|entry| entry.seen),
            health_check_path: check.map(|check| check.path.to_string()),
            health_check_interval: check.map(|check| check.interval.as_secs_f64()),
            source: desired.source(&key),
        }
    }
}
