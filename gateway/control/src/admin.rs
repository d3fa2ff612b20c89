//! The admin listener: what operators, browsers and probes ask.
//!
//! Reading order: [`router`] has every path; `guard` keeps strangers' web pages
//! out and `login` asks for tokens; `asked`, `body`, `precondition` and `envelope`
//! are the form of requests and answers; `fields` is what the API calls the
//! configuration's keys; the rest is a file for each subject.

mod algorithm;
mod asked;
mod assets;
mod audit;
mod body;
mod config;
mod envelope;
mod fields;
mod guard;
mod health;
mod login;
mod metrics;
mod pools;
mod precondition;
mod probes;
mod prometheus;
mod servers;
mod tokens;
mod uptime;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};

use self::guard::Guard;
use crate::control::Control;

/// Serve until the thread ends.
pub(crate) async fn serve(control: Arc<Control>, listener: TcpListener) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => {
            let routes = router(control);
            let service = routes.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the admin listener has ended");
    }
}

/// Every path that there is.
fn router(control: Arc<Control>) -> Router {
    let guard = Guard::of(control.publisher.snapshot().config.admin.listen);
    let operators = middleware::from_fn_with_state(Arc::clone(&control), login::operators);
    let deployers = middleware::from_fn_with_state(Arc::clone(&control), login::deployers);
    let operated = Router::new()
        .route("/metrics", get(prometheus::scrape))
        .route("/api/health", get(health::health))
        .route("/api/metrics", get(metrics::metrics))
        .route("/api/metrics/pools", get(metrics::pools))
        .route("/api/metrics/servers", get(metrics::servers))
        .route("/api/audit", get(audit::audit))
        .merge(servers::routes())
        .merge(pools::routes())
        .merge(algorithm::routes())
        .merge(config::routes())
        .route_layer(operators);
    Router::new()
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .merge(operated)
        .merge(tokens::routes().route_layer(deployers))
        .with_state(control)
        .merge(assets::router())
        .fallback(envelope::not_found)
        .method_not_allowed_fallback(envelope::method_not_allowed)
        .layer(middleware::from_fn_with_state(guard, guard::guard))
}
