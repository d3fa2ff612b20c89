//! `GET /api/servers`: every server of every pool.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::endpoint::Endpoint;
use gatewright_model::pool::Pool;
use serde::Serialize;

use super::envelope::{Success, success};
use crate::control::Control;
use crate::overview::{ServerFigures, server};
use crate::timestamp::Timestamp;

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
    /// Who declared it.
    source: &'static str,
}

/// Pool by pool, in the order of their slots.
pub(super) async fn servers(State(control): State<Arc<Control>>) -> Json<Success<Vec<Server>>> {
    let snapshot = control.publisher.snapshot();
    let of_pool = |pool: &Arc<Pool>| {
        let pool = Arc::clone(pool);
        let endpoints: Vec<_> = pool.endpoints().cloned().collect();
        endpoints
            .into_iter()
            .map(move |endpoint| (Arc::clone(&pool), endpoint))
    };
    let endpoints = snapshot.pools.iter().flat_map(of_pool);
    let servers = endpoints.map(|(pool, endpoint)| Server::of(&control, &pool, &endpoint));
    success(servers.collect())
}

impl Server {
    fn of(control: &Control, pool: &Pool, endpoint: &Endpoint) -> Self {
        let figures: ServerFigures = server(pool, endpoint);
        let entry = control.roster.entry(&pool.name, &endpoint.id);
        let check = pool.config.health.as_ref();
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
            source: "file",
        }
    }
}
