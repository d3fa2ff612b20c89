//! `GET /api/servers/{id}/health`: what the checks of a server have found.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::find;
use crate::admin::asked::{Asked, InPool, Named};
use crate::admin::envelope::{Success, success};
use crate::change::Refusal;
use crate::control::Control;
use crate::timestamp::Timestamp;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    server_id: String,
    pool: String,
    /// `healthy`, `unhealthy` or `unknown`.
    status: &'static str,
    /// Whether it takes new requests now.
    eligible: bool,
    draining: bool,
    last_health_check: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    /// None when it is not checked.
    health_check_path: Option<String>,
    /// In seconds.
    health_check_interval: Option<f64>,
    /// In seconds.
    health_check_timeout: Option<f64>,
}

pub(super) async fn health(
    State(control): State<Arc<Control>>,
    Named(id): Named,
    Asked(wanted): Asked<InPool>,
) -> Result<Json<Success<Answer>>, Refusal> {
    let snapshot = control.publisher.snapshot();
    let (pool, endpoint) = find(&snapshot, &id, wanted.pool.as_deref())?;
    let check = endpoint.health.as_ref();
    let entry = control.roster.entry(&pool.name, &endpoint.id);
    Ok(success(Answer {
        server_id: endpoint.id.to_string(),
        pool: pool.name.to_string(),
        status: endpoint.state.health().name(),
        eligible: endpoint.is_eligible(),
        draining: endpoint.state.is_draining(),
        last_health_check: endpoint.state.last_check().map(Timestamp),
        last_seen: entry.and_then(|entry| entry.seen),
        health_check_path: check.map(|check| check.path.to_string()),
        health_check_interval: check.map(|check| check.interval.as_secs_f64()),
        health_check_timeout: check.map(|check| check.timeout.as_secs_f64()),
    }))
}
