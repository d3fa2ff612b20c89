//! `/api/algorithms` and `/api/algorithm`: which balancers there are, and which
//! one a pool has.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use gatewright_model::config::{Config, DEFAULT_BALANCERS, Key};
use gatewright_model::role::Role;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, InPool};
use super::body::Body;
use super::fields::{Settings, algorithm_name, pool_of, shown_pool};
use super::precondition::{Expected, outcome, tagged};
use crate::access::Who;
use crate::change::{Change, Refusal};
use crate::control::Control;

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/api/algorithms", get(list))
        .route("/api/algorithm", get(one).put(put))
}

#[derive(Debug, Serialize)]
struct Algorithm {
    name: String,
    /// The plugin's name in the configuration.
    plugin: String,
    /// The pools that have it.
    pools: Vec<String>,
}

/// The default set's balancers, and every plugin that balances a pool now. A
/// plugin that is declared and bound nowhere may be named too; what it is shows
/// when it is loaded.
async fn list(State(control): State<Arc<Control>>) -> Response {
    let snapshot = control.publisher.snapshot();
    let plan = control.publisher.plan();
    let bound = plan.bindings().iter();
    let bound = bound.filter(|binding| binding.role() == Role::Balancer);
    let bound = bound.map(|binding| binding.plugin().as_str().to_owned());
    let default = DEFAULT_BALANCERS.into_iter().map(str::to_owned);
    let plugins: BTreeSet<_> = default.chain(bound).collect();
    let algorithms = plugins.into_iter().map(|plugin| Algorithm {
        name: algorithm_name(&plugin),
        pools: pools_with(&snapshot.config, &plugin),
        plugin,
    });
    let algorithms: Vec<_> = algorithms.collect();
    tagged(&control, snapshot.generation, StatusCode::OK, algorithms)
}

fn pools_with(config: &Config, plugin: &str) -> Vec<String> {
    let pools = config.pools.iter();
    let pools = pools.filter(|pool| pool.balancer.plugin.as_str() == plugin);
    pools.map(|pool| pool.name.to_string()).collect()
}

/// A pool and its algorithm.
#[derive(Debug, Serialize)]
struct Answer {
    pool: String,
    algorithm: String,
}

impl Answer {
    fn of(config: &Config, pool: Option<&str>) -> Result<Self, Refusal> {
        let pool = shown_pool(config, pool)?;
        Ok(Self {
            pool: pool.name.to_string(),
            algorithm: algorithm_name(pool.balancer.plugin.as_str()),
        })
    }
}

async fn one(
    State(control): State<Arc<Control>>,
    Asked(wanted): Asked<InPool>,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    let answer = Answer::of(&snapshot.config, wanted.pool.as_deref())?;
    Ok(tagged(
        &control,
        snapshot.generation,
        StatusCode::OK,
        answer,
    ))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    algorithm: String,
    pool: Option<String>,
}

async fn put(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    expected: Expected,
    Body(Wanted { algorithm, pool }): Body<Wanted>,
) -> Result<Response, Refusal> {
    let name = pool.clone();
    let make = move |config: &Config| {
        let pool = pool_of(config, name.as_deref())?;
        let settings = Settings {
            algorithm: Some(algorithm),
            ..Settings::default()
        };
        Ok(Change {
            action: "algorithm",
            target: Key::pool(pool.name.as_str()).then("balancer").to_string(),
            edits: settings.edits(config, pool)?,
        })
    };
    let changed = control.change(who, expected.0, make).await?;
    let snapshot = control.publisher.snapshot();
    let answer = Answer::of(&snapshot.config, pool.as_deref())?;
    Ok(outcome(&control, changed, StatusCode::OK, answer))
}
