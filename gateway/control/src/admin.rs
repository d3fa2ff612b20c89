//! The admin listener: what operators, browsers and probes ask.
//!
//! Reading order: `listening` accepts, by `places`, and `serving` serves; [`router`] has every
//! path; `openapi` describes them; `guard` keeps strangers' web pages
//! out and `login` asks for tokens; `asked`, `body`, `precondition` and `envelope`
//! are the form of requests and answers; `fields` is what the API calls the
//! configuration's keys; the rest is a file for each subject.

mod algorithm;
mod asked;
mod assets;
mod audit;
mod bindings;
mod body;
mod burden;
mod cache;
mod certificates;
mod cluster;
mod config;
mod cors;
mod envelope;
mod explain;
mod fields;
mod guard;
mod health;
mod listeners;
mod listening;
mod login;
mod metrics;
mod openapi;
mod places;
mod plugins;
mod pools;
mod precondition;
mod probes;
mod prometheus;
mod recordings;
mod servers;
mod serving;
mod sessions;
mod stream;
mod tokens;
mod upgrade;
mod uptime;
mod viewer;
mod words;

use std::sync::Arc;

use axum::{Router, middleware};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::guard::Guard;
pub(crate) use self::listening::AdminListener;
use crate::control::Control;

/// Serve until the thread ends or the listener is to close: then answers under way
/// are finished, and `closing` has no more receivers.
pub(crate) async fn serve(
    control: Arc<Control>,
    listener: AdminListener,
    closing: watch::Receiver<bool>,
) {
    tokio::spawn(stream::show(Arc::clone(&control)));
    if let Err(error) = listening::accept(listener, router(control), closing).await {
        tracing::error!(%error, "the admin listener has ended");
    }
}

/// Every path that there is.
fn router(control: Arc<Control>) -> Router {
    let guard = Guard::new(&control);
    let (described, document) = OpenApiRouter::with_openapi(openapi::title())
        .routes(routes!(probes::livez))
        .routes(routes!(probes::readyz))
        .merge(login::only(login::operators, &control, operated()))
        .merge(login::only(login::plugin_deployers, &control, deployed()))
        .merge(login::only(login::deployers, &control, tokens::routes()))
        .merge(login::only(
            login::deployers,
            &control,
            recordings::routes(),
        ))
        .split_for_parts();
    described
        .with_state(control)
        .merge(openapi::router(document))
        .merge(assets::router())
        .merge(viewer::router())
        .fallback(envelope::not_found)
        .method_not_allowed_fallback(envelope::method_not_allowed)
        .layer(middleware::from_fn_with_state(guard, guard::guard))
}

/// What decides, which those change who deploy plugins.
fn deployed() -> OpenApiRouter<Arc<Control>> {
    plugins::routes().merge(bindings::routes())
}

/// What those look at and change who operate the gateway.
fn operated() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(prometheus::scrape))
        .routes(routes!(health::health))
        .routes(routes!(metrics::metrics))
        .routes(routes!(metrics::pools))
        .routes(routes!(metrics::servers))
        .routes(routes!(metrics::history))
        .routes(routes!(listeners::list))
        .routes(routes!(certificates::list))
        .routes(routes!(audit::audit))
        .routes(routes!(cluster::cluster))
        .routes(routes!(upgrade::upgrade))
        .routes(routes!(stream::stream))
        .merge(cache::routes())
        .merge(explain::routes())
        .merge(sessions::routes())
        .merge(servers::routes())
        .merge(pools::routes())
        .merge(algorithm::routes())
        .merge(config::routes())
}
