//! `/api/audit`: who changed what, newest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::asked::{Asked, Limit};
use super::envelope::{Failure, Success, success};
use crate::change::Refusal;
use crate::control::Control;
use crate::store::Numbered;

/// List the changes that were made.
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/audit", operation_id = "listAudit", tag = "audit",
    params(Limit),
    responses(
        (status = OK, description = "The entries", body = Success<Vec<Numbered>>),
        (status = SERVICE_UNAVAILABLE, description = "The gateway is ending", body = Failure),
        (status = INSUFFICIENT_STORAGE, description = "The store does not read", body = Failure),
        Asked<Limit>,
    )
)]
pub(super) async fn audit(
    State(control): State<Arc<Control>>,
    Asked(limit): Asked<Limit>,
) -> Result<Response, Refusal> {
    let most = limit.most();
    let store = control.store.clone();
    let reading = tokio::task::spawn_blocking(move || store.audit(most));
    let entries = reading.await.map_err(|_| Refusal::Stopping)??;
    Ok(success(entries).into_response())
}
