//! `/api/servers/{serverId}/health`: what the checks of a server have found.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::config::CheckKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ID, find};
use crate::admin::asked::{Asked, InPool, Named};
use crate::admin::envelope::{Failure, Success, success};
use crate::admin::words::{Circuit, Status};
use crate::change::Refusal;
use crate::control::Control;
use crate::timestamp::Timestamp;

/// A server's health, and how it is checked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerHealth)]
pub(super) struct Answer {
    #[schema(example = "10.0.0.7:3000")]
    server_id: String,
    pool: String,
    status: Status,
    circuit: Circuit,
    /// Since when the circuit is not closed; none while it is.
    circuit_opened_at: Option<Timestamp>,
    /// Whether it takes new requests now.
    eligible: bool,
    draining: bool,
    last_health_check: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    /// `http`, `tcp` or `grpc`; none when it is not checked.
    health_check_type: Option<&'static str>,
    /// None when it is not asked for a path.
    health_check_path: Option<String>,
    /// In seconds.
    health_check_interval: Option<f64>,
    /// In seconds.
    health_check_timeout: Option<f64>,
}

/// Show a server's health.
#[utoipa::path(
    get, path = "/api/servers/{serverId}/health", operation_id = "showServerHealth", tag = "servers",
    params(("serverId" = String, Path, description = ID), InPool),
    responses(
        (status = OK, description = "What the checks have found", body = Success<Answer>),
        (status = NOT_FOUND, description = "There is none", body = Failure),
        Named,
    )
)]
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
        status: endpoint.state.health().into(),
        circuit: endpoint.state.circuit.phase().into(),
        circuit_opened_at: endpoint.state.circuit.opened_at().map(Timestamp),
        eligible: endpoint.is_eligible(),
        draining: endpoint.state.is_draining(),
        last_health_check: endpoint.state.last_check().map(Timestamp),
        last_seen: entry.and_then(|entry| entry.seen),
        health_check_type: check.map(|check| kind(check.kind)),
        health_check_path: check.and_then(|check| check.asked_path().map(str::to_owned)),
        health_check_interval: check.map(|check| check.interval.as_secs_f64()),
        health_check_timeout: check.map(|check| check.timeout.as_secs_f64()),
    }))
}

/// As the configuration writes it.
fn kind(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Http => "http",
        CheckKind::Tcp => "tcp",
        CheckKind::Grpc => "grpc",
    }
}
