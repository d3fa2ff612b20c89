//! Whether it lives, and whether clients should be sent here.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::control::Control;

/// What probes are answered with.
const TEXT: &str = "text/plain; charset=utf-8";

/// Ask whether it lives.
///
/// It does for as long as the control plane answers.
#[utoipa::path(
    get, path = "/livez", operation_id = "showLiveness", tag = "figures",
    responses((status = OK, description = "It lives", body = String, content_type = TEXT))
)]
pub(super) async fn livez() -> &'static str {
    "live\n"
}

/// Ask whether clients should be sent here.
///
/// They should once every worker serves and every server has been checked
/// once, until it stops.
#[utoipa::path(
    get, path = "/readyz", operation_id = "showReadiness", tag = "figures",
    responses(
        (status = OK, description = "It is ready", body = String, content_type = TEXT),
        (status = SERVICE_UNAVAILABLE, description = "Why it is not", body = String,
         content_type = TEXT),
    )
)]
pub(super) async fn readyz(State(control): State<Arc<Control>>) -> (StatusCode, String) {
    let snapshot = control.publisher.snapshot();
    let workers = control.publisher.counters();
    match control.readiness.look(&snapshot, workers) {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {reason}\n"),
        ),
    }
}
