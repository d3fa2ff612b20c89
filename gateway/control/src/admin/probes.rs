//! Whether it lives, and whether clients should be sent here.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::control::Control;

/// `GET /livez`: 200 for as long as the control plane answers.
pub(super) async fn livez() -> &'static str {
    "live\n"
}

/// `GET /readyz`: 200 once every worker serves and every server has been
/// checked once, 503 with the reason before that and while it stops.
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
