//! `/api/listeners`: where clients connect.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::address::Address;
use gatewright_model::config;
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Success, success};
use crate::control::Control;

/// Where clients connect.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listener {
    name: String,
    /// With the port that the system chose where it was asked to; or `unix:` and
    /// the path of a socket.
    #[schema(value_type = String, example = "0.0.0.0:8080")]
    address: Address,
    /// Whether it speaks TLS.
    tls: bool,
    /// Whether it speaks HTTP/3 too, over UDP at the same address.
    http3: bool,
    /// What clients over TCP are told of that (`Alt-Svc`); null without HTTP/3.
    #[schema(example = "h3=\":443\"; ma=86400")]
    alt_svc: Option<String>,
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
        http3: listener.http3.is_some(),
        alt_svc: alternative(listener, address),
    });
    success(listeners.collect())
}

fn alternative(listener: &config::Listener, address: &Address) -> Option<String> {
    let Address::Ip(address) = address else {
        return None;
    };
    let http3 = listener.http3?;
    Some(http3.alternative(address.port()).to_string())
}
