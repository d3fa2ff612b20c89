//! `GET /api/audit`: who changed what, newest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::asked::Asked;
use super::envelope::success;
use crate::change::Refusal;
use crate::control::Control;

/// Entries that are answered when no number is asked for.
const USUAL: usize = 100;

/// Entries that are answered at most.
const MOST: usize = 1000;

#[derive(Debug, Deserialize)]
pub(super) struct Limit {
    limit: Option<usize>,
}

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
