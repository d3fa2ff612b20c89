//! `/api/metrics/pools` and `/api/metrics/servers`: the traffic by where it
//! went.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::endpoint::Health;
use gatewright_model::histogram::Reading;
use gatewright_model::pool::Pool;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::envelope::{Success, success};
use crate::admin::fields::algorithm_name;
use crate::admin::metrics::{Recent, milliseconds};
use crate::control::Control;
use crate::overview::{ServerFigures, server};

/// A pool's figures since its servers were added, and in the last second.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PoolMetrics)]
pub(in crate::admin) struct PoolFigures {
    pool: String,
    algorithm: String,
    /// Attempts that its servers were given.
    total_requests: u64,
    failed_requests: u64,
    active_connections: u64,
    /// In milliseconds; none before the first response.
    average_response_time: Option<f64>,
    active_servers: usize,
    unhealthy_servers: usize,
    /// Whether so few servers are well that all get requests.
    panicking: bool,
    /// Requests that wait for a server that has room.
    waiting: usize,
    /// Requests that were refused since no server had room, at once or after
    /// waiting.
    shed: u64,
    #[serde(flatten)]
    recent: Recent,
}

/// Show the traffic by pools.
#[utoipa::path(
    get, path = "/api/metrics/pools", operation_id = "showPoolMetrics", tag = "figures",
    responses((status = OK, description = "Every pool", body = Success<Vec<PoolFigures>>))
)]
pub(in crate::admin) async fn pools(
    State(control): State<Arc<Control>>,
) -> Json<Success<Vec<PoolFigures>>> {
    let snapshot = control.publisher.snapshot();
    let pools = snapshot.pools.iter().map(|pool| {
        let servers: Vec<_> = pool.endpoints().map(|one| server(pool, one)).collect();
        let recent = Recent::of(control.series.of_pool(&pool.name));
        PoolFigures::of(pool, &servers, recent)
    });
    success(pools.collect())
}

impl PoolFigures {
    /// A pool's figures, by those of its servers.
    pub(in crate::admin) fn of(pool: &Pool, servers: &[ServerFigures], recent: Recent) -> Self {
        let sum = |count: fn(&ServerFigures) -> u64| servers.iter().map(count).sum();
        let mut latency = Reading::default();
        for server in servers {
            latency.merge(&server.latency);
        }
        let queue = pool.state.queue().figures();
        let is_unhealthy = |server: &&ServerFigures| server.health == Health::Unhealthy;
        Self {
            pool: pool.name.to_string(),
            algorithm: algorithm_name(pool.config.balancer.plugin.as_str()),
            total_requests: sum(|server| server.requests),
            failed_requests: sum(|server| server.failures),
            active_connections: sum(|server| server.active.into()),
            average_response_time: latency.mean().map(milliseconds),
            active_servers: servers.iter().filter(|server| server.eligible).count(),
            unhealthy_servers: servers.iter().filter(is_unhealthy).count(),
            panicking: pool.state.is_panicking(),
            waiting: queue.waiting,
            shed: queue.shed(),
            recent,
        }
    }
}

/// A server's figures since it was added, and in the last second.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerMetrics)]
pub(in crate::admin) struct Figures {
    server_id: String,
    pool: String,
    /// Attempts that it was given.
    total_requests: u64,
    failed_requests: u64,
    connect_failures: u64,
    active_connections: u32,
    /// In milliseconds, as those after it; none before the first response.
    average_response_time: Option<f64>,
    median_response_time: Option<f64>,
    p99_response_time: Option<f64>,
    #[serde(flatten)]
    recent: Recent,
}

/// Show the traffic by servers.
#[utoipa::path(
    get, path = "/api/metrics/servers", operation_id = "showServerMetrics", tag = "figures",
    responses((status = OK, description = "Every server", body = Success<Vec<Figures>>))
)]
pub(in crate::admin) async fn servers(
    State(control): State<Arc<Control>>,
) -> Json<Success<Vec<Figures>>> {
    let snapshot = control.publisher.snapshot();
    let pools = snapshot.pools.iter();
    let servers = pools.flat_map(|pool| pool.endpoints().map(move |one| server(pool, one)));
    let figures = servers.map(|server| {
        let recent = Recent::of(control.series.of_server(&server.pool, &server.id));
        Figures::of(&server, recent)
    });
    success(figures.collect())
}

impl Figures {
    pub(in crate::admin) fn of(server: &ServerFigures, recent: Recent) -> Self {
        Self {
            server_id: server.id.to_string(),
            pool: server.pool.to_string(),
            total_requests: server.requests,
            failed_requests: server.failures,
            connect_failures: server.connect_failures,
            active_connections: server.active,
            average_response_time: server.latency.mean().map(milliseconds),
            median_response_time: server.latency.quantile(0.5).map(milliseconds),
            p99_response_time: server.latency.quantile(0.99).map(milliseconds),
            recent,
        }
    }
}
