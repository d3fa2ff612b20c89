//! `/api/audit`: who changed what, newest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::asked::{Asked, count};
use super::envelope::{Failure, Success, success};
use crate::change::Refusal;
use crate::control::Control;
use crate::store::Numbered;

/// Entries that are answered when no number is asked for.
const USUAL: usize = 100;

/// Entries that are answered at most.
const MOST: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Limit {
    /// Entries that are wanted: 100 if it is not said, 1000 at most.
    #[param(value_type = usize, required = false, example = 10)]
    #[serde(default, deserialize_with = "count")]
    limit: Option<usize>,
}

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
    Asked(Limit { limit }): Asked<Limit>,
) -> Result<Response, Refusal> {
    let most = limit.unwrap_or(USUAL).min(MOST);
    let store = control.store.clone();
    let reading = tokio::task::spawn_blocking(move || store.audit(most));
    let entries = reading.await.map_err(|_| Refusal::Stopping)??;
    Ok(success(entries).into_response())
}
