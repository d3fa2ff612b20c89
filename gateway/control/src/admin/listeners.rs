//! `/api/listeners`: where clients connect.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::address::Address;
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Success, success};
use crate::control::Control;

/// Where clients connect.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listener {
    name: String,
    /// With the port that the system chose where it was asked to; or `unix:` and
    /// the path of a socket.
    #[schema(value_type = String, example = "0.0.0.0:8080")]
    address: Address,
    /// Whether it speaks TLS.
    tls: bool,
}

/// List the listeners.
///
/// In the order of the configuration. They are bound when the gateway starts.
#[utoipa::path(
    get, path = "/api/listeners", operation_id = "listListeners", tag = "settings",
    responses((status = OK, description = "The listeners", body = Success<Vec<Listener>>))
)]
pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<Success<Vec<Listener>>> {
    let snapshot = control.publisher.snapshot();
    let listeners = snapshot.config.listeners.iter().zip(&control.listeners);
    let listeners = listeners.map(|(listener, address)| Listener {
        name: listener.name.to_string(),
        address: address.clone(),
        tls: listener.tls.is_some(),
    });
    success(listeners.collect())
}
