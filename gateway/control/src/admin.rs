//! The admin listener: what operators, browsers and probes ask.

mod assets;
mod envelope;
mod guard;
mod health;
mod metrics;
mod probes;
mod prometheus;
mod servers;
mod uptime;

use std::net::TcpListener;
use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};

use crate::control::Control;

/// Serve until the thread ends.
pub(crate) async fn serve(control: Arc<Control>, listener: TcpListener) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => axum::serve(listener, router(control)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the admin listener has ended");
    }
}

/// Every path that there is.
fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(prometheus::scrape))
        .route("/api/health", get(health::health))
        .route("/api/servers", get(servers::servers))
        .route("/api/metrics", get(metrics::metrics))
        .with_state(control)
        .merge(assets::router())
        .fallback(envelope::not_found)
        .method_not_allowed_fallback(envelope::method_not_allowed)
        .layer(middleware::from_fn(guard::guard))
}
