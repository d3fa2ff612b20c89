//! `/api/servers`: every server of every pool.
//!
//! The same host and port may be in several pools. A change of a server is one
//! of it in all of them, unless `?pool=` names one.

mod change;
mod health;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gatewright_model::endpoint::Endpoint;
use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, InPool, Named, must_be_there};
use super::envelope::{Failure, Success, success};
use super::precondition::tagged;
use super::words::{Circuit, Status};
use crate::change::Refusal;
use crate::control::Control;
use crate::desired::{DeclaredBy, Desired};
use crate::overview::{ServerFigures, server};
use crate::timestamp::Timestamp;

pub(super) use change::NewServer;

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, change::add))
        .routes(routes!(one, change::remove))
        .routes(routes!(change::weigh))
        .routes(routes!(change::drain))
        .routes(routes!(change::enable))
        .routes(routes!(health::health))
        .routes(routes!(stats))
}

/// What a server's id is, in the document.
const ID: &str = "The server's id: `host:port`, or `unix:` and the path of a Unix socket";

/// A server as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Server {
    #[schema(example = "10.0.0.7:3000")]
    server_id: String,
    pool: String,
    host: String,
    /// None for a Unix socket.
    port: Option<u16>,
    weight: u16,
    /// The weight that counts now: 0 while it takes no new work.
    weight_in_force: u16,
    labels: BTreeMap<String, String>,
    status: Status,
    circuit: Circuit,
    /// Since when the circuit is not closed; none while it is.
    circuit_opened_at: Option<Timestamp>,
    /// How often the circuit has opened.
    ejections: u64,
    /// Percent of its share that it takes: less than 100 during its slow start.
    warmth: u8,
    draining: bool,
    active_connections: u32,
    /// The most requests in flight on it at a time; none: no limit.
    max_active: Option<u32>,
    total_requests: u64,
    failed_requests: u64,
    /// In milliseconds; none before the first response.
    response_time: Option<f64>,
    added_at: Option<Timestamp>,
    last_health_check: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    /// None when it is not asked for a path.
    health_check_path: Option<String>,
    /// In seconds.
    health_check_interval: Option<f64>,
    /// Who declared it, if it was not found.
    source: DeclaredBy,
}

/// List the servers.
///
/// Pool by pool, in the order of their slots.
#[utoipa::path(
    get, path = "/api/servers", operation_id = "listServers", tag = "servers",
    params(InPool),
    responses(
        (status = OK, description = "The servers", body = Success<Vec<Server>>, headers(("ETag"))),
        (status = NOT_FOUND, description = "There is no such pool", body = Failure),
        Asked<InPool>,
    )
)]
async fn list(
    State(control): State<Arc<Control>>,
    Asked(wanted): Asked<InPool>,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    must_be_there(&snapshot, wanted.pool.as_deref(), None)?;
    let desired = control.desired();
    let servers = members(&snapshot, wanted.pool.as_deref())
        .map(|(pool, endpoint)| Server::of(&control, &desired, pool, endpoint));
    let servers: Vec<_> = servers.collect();
    Ok(tagged(
        &control,
        snapshot.generation,
        StatusCode::OK,
        servers,
    ))
}

/// Show a server.
///
/// That of the default pool if it is in several.
#[utoipa::path(
    get, path = "/api/servers/{serverId}", operation_id = "showServer", tag = "servers",
    params(("serverId" = String, Path, description = ID), InPool),
    responses(
        (status = OK, description = "The server", body = Success<Server>, headers(("ETag"))),
        (status = NOT_FOUND, description = "There is none", body = Failure),
        Named,
    )
)]
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
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerStats)]
struct Stats {
    #[schema(example = "10.0.0.7:3000")]
    id: String,
    pool: String,
    address: String,
    health: Status,
    active_connections: u32,
    total_requests: u64,
    /// In milliseconds; none before the first response.
    response_time: Option<f64>,
    weight: u16,
}

/// Show what a chart polls of every server.
#[utoipa::path(
    get, path = "/api/server-stats", operation_id = "showServerStats", tag = "figures",
    params(InPool),
    responses(
        (status = OK, description = "The servers' figures", body = Success<Vec<Stats>>),
        (status = NOT_FOUND, description = "There is no such pool", body = Failure),
        Asked<InPool>,
    )
)]
async fn stats(
    State(control): State<Arc<Control>>,
    Asked(wanted): Asked<InPool>,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    must_be_there(&snapshot, wanted.pool.as_deref(), None)?;
    let stats = members(&snapshot, wanted.pool.as_deref()).map(|(pool, endpoint)| {
        let figures = server(pool, endpoint);
        Stats {
            id: figures.id.to_string(),
            pool: figures.pool.to_string(),
            address: figures.id.to_string(),
            health: figures.health.into(),
            active_connections: figures.active,
            total_requests: figures.requests,
            response_time: figures.mean_ms,
            weight: figures.weight,
        }
    });
    Ok(success(stats.collect::<Vec<_>>()).into_response())
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
        Self {
            server_id: figures.id.to_string(),
            pool: figures.pool.to_string(),
            host: figures.host.to_string(),
            port: Some(figures.port).filter(|port| *port > 0),
            weight: figures.weight,
            weight_in_force: figures.weight_in_force(),
            labels: endpoint.labels.clone(),
            status: figures.health.into(),
            circuit: figures.circuit.into(),
            circuit_opened_at: endpoint.state.circuit.opened_at().map(Timestamp),
            ejections: figures.ejections,
            warmth: figures.warmth,
            draining: figures.draining,
            active_connections: figures.active,
            max_active: endpoint.max_active.map(NonZeroU32::get),
            total_requests: figures.requests,
            failed_requests: figures.failures,
            response_time: figures.mean_ms,
            added_at: entry.as_ref().map(|entry| entry.added),
            last_health_check: endpoint.state.last_check().map(Timestamp),
            last_seen: entry.and_then(|entry| entry.seen),
            health_check_path: check.and_then(|check| check.asked_path().map(str::to_owned)),
            health_check_interval: check.map(|check| check.interval.as_secs_f64()),
            source: desired.server_declared_by(pool.name.as_str(), endpoint.id.as_str()),
        }
    }
}
