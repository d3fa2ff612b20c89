//! `/api/session-stats`: how many sessions there are, by pools and their servers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::pool::Pool;
use serde::Serialize;
use utoipa::ToSchema;

use super::remembered;
use crate::admin::asked::{Asked, InPool, must_be_there};
use crate::admin::envelope::{Failure, Success, success};
use crate::change::Refusal;
use crate::control::Control;

/// How many sessions the gateway remembers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionStats)]
pub(super) struct Stats {
    /// All of them.
    sessions: usize,
    /// Every pool that keeps clients on their servers, or has sessions.
    pools: Vec<OfPool>,
}

/// A pool's part of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PoolSessionStats)]
struct OfPool {
    pool: String,
    /// The plugin that keeps clients on their servers. One that leaves that to the
    /// clients' cookies, as `sticky-cookie` does, has no sessions here.
    #[schema(example = "sticky-learn")]
    affinity: Option<String>,
    sessions: usize,
    /// Every server of the pool.
    servers: Vec<OfServer>,
}

/// A server's part of a pool's.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerSessionStats)]
struct OfServer {
    #[schema(example = "10.0.0.1:3000")]
    server_id: String,
    sessions: usize,
}

/// Count the sessions.
///
/// Those that `/api/sessions` lists: all of them, each pool's, each server's; or
/// those of one pool.
#[utoipa::path(
    get, path = "/api/session-stats", operation_id = "showSessionStats", tag = "sessions",
    params(InPool),
    responses(
        (status = OK, description = "How many there are", body = Success<Stats>),
        (status = NOT_FOUND, description = "There is no such pool", body = Failure),
        (status = SERVICE_UNAVAILABLE, description = "The gateway is ending", body = Failure),
        Asked<InPool>,
    )
)]
pub(super) async fn stats(
    State(control): State<Arc<Control>>,
    Asked(InPool { pool }): Asked<InPool>,
) -> Result<Json<Success<Stats>>, Refusal> {
    must_be_there(&control.publisher.snapshot(), pool.as_deref(), None)?;
    let counting = tokio::task::spawn_blocking(move || count(&control, pool.as_deref()));
    counting.await.map(success).map_err(|_| Refusal::Stopping)
}

fn count(control: &Control, of: Option<&str>) -> Stats {
    let clock = control.publisher.host().now();
    let (snapshot, plan) = (control.publisher.snapshot(), control.publisher.plan());
    let pools: Vec<_> = remembered(&snapshot, &plan)
        .filter(|(pool, _)| of.is_none_or(|name| name == pool.name.as_str()))
        .filter_map(|(pool, sessions)| OfPool::of(pool, &sessions.counts(pool, clock)))
        .collect();
    Stats {
        sessions: pools.iter().map(|pool| pool.sessions).sum(),
        pools,
    }
}

impl OfPool {
    /// With its counts by slot; none where nobody keeps sessions.
    fn of(pool: &Pool, counts: &[usize]) -> Option<Self> {
        let affinity = pool.config.affinity.as_ref();
        let affinity = affinity.map(|binding| binding.plugin.to_string());
        let sessions = counts.iter().sum();
        let servers = pool.endpoints().map(|endpoint| OfServer {
            server_id: endpoint.id.to_string(),
            sessions: counts[endpoint.slot().index()],
        });
        (affinity.is_some() || sessions > 0).then(|| Self {
            pool: pool.name.to_string(),
            affinity,
            sessions,
            servers: servers.collect(),
        })
    }
}
