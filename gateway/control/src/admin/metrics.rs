//! `/api/metrics`: the traffic in a few numbers.

mod breakdown;
mod history;
mod recent;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::config::Config;
use gatewright_model::endpoint::Health;
use gatewright_model::id::PoolIndex;
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Success, success};
use super::fields::algorithm_name;
use super::uptime;
use crate::control::Control;
use crate::overview::{Overview, ServerFigures, gather};

pub(super) use breakdown::{__path_pools, __path_servers, Figures, PoolFigures, pools, servers};
pub(super) use history::{__path_history, history};
pub(super) use recent::{Recent, milliseconds, rounded};

/// The traffic since the start.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Metrics)]
pub(super) struct Answer {
    total_requests: u64,
    requests_per_second: f64,
    /// In milliseconds; none before the first response.
    average_response_time: Option<f64>,
    /// Clients connected.
    active_connections: u64,
    /// Servers that may take a request.
    active_servers: usize,
    unhealthy_servers: usize,
    /// The default pool's balancer, or the first pool's; none without pools.
    algorithm: Option<String>,
    #[schema(example = "7d 12h 30m")]
    uptime: String,
}

/// Show the traffic in a few numbers.
#[utoipa::path(
    get, path = "/api/metrics", operation_id = "showMetrics", tag = "figures",
    responses((status = OK, description = "All traffic since the start", body = Success<Answer>))
)]
pub(super) async fn metrics(State(control): State<Arc<Control>>) -> Json<Success<Answer>> {
    success(Answer::of(&gather(&control), &control))
}

impl Answer {
    pub(super) fn of(overview: &Overview, control: &Control) -> Self {
        let Overview {
            totals, servers, ..
        } = overview;
        let is_unhealthy = |server: &&ServerFigures| server.health == Health::Unhealthy;
        Self {
            total_requests: totals.requests,
            requests_per_second: rounded(totals.requests_per_second),
            average_response_time: totals.latency.mean().map(milliseconds),
            active_connections: totals.connections,
            active_servers: servers.iter().filter(|server| server.eligible).count(),
            unhealthy_servers: servers.iter().filter(is_unhealthy).count(),
            algorithm: algorithm(&control.publisher.snapshot().config),
            uptime: uptime::in_words(overview.uptime),
        }
    }
}

fn algorithm(config: &Config) -> Option<String> {
    let index = config.default_pool.map_or(0, PoolIndex::index);
    let pool = config.pools.get(index)?;
    Some(algorithm_name(pool.balancer.plugin.as_str()))
}
