//! `/api/algorithms` and `/api/algorithm`: which balancers there are, and which
//! one a pool has.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use gatewright_model::config::{Certify, Config, DEFAULT_BALANCERS, Key};
use gatewright_model::id::PluginName;
use gatewright_model::role::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, InPool};
use super::body::Body;
use super::envelope::{Failure, Success};
use super::fields::{Settings, algorithm_name, plugin_named, pool_of, shown_pool};
use super::login;
use super::plugins::declared_by;
use super::precondition::{Expected, Outcome, outcome, tagged};
use crate::access::{self, Who};
use crate::change::{Change, Refusal};
use crate::control::Control;
use crate::store::VersionSource;

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, put))
}

/// A plugin that balances pools, or can.
#[derive(Debug, Serialize, ToSchema)]
struct Algorithm {
    #[schema(example = "round_robin")]
    name: String,
    /// The plugin's name in the configuration.
    plugin: String,
    /// The pools that have it.
    pools: Vec<String>,
}

/// List the algorithms.
///
/// The default set's balancers, and every plugin that balances a pool now. A
/// plugin that is declared and bound nowhere may be named too; what it is shows
/// when it is loaded.
#[utoipa::path(
    get, path = "/api/algorithms", operation_id = "listAlgorithms", tag = "algorithms",
    responses(
        (status = OK, description = "The algorithms", body = Success<Vec<Algorithm>>, headers(("ETag"))),
    )
)]
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PoolAlgorithm)]
struct Answer {
    pool: String,
    #[schema(example = "round_robin")]
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

/// Show a pool's algorithm.
///
/// The default pool's, or the first pool's where there is no default one.
#[utoipa::path(
    get, path = "/api/algorithm", operation_id = "showAlgorithm", tag = "algorithms",
    params(InPool),
    responses(
        (status = OK, description = "The pool's algorithm", body = Success<Answer>, headers(("ETag"))),
        (status = NOT_FOUND, description = "There is no such pool", body = Failure),
        (status = UNPROCESSABLE_ENTITY, description = "There is no pool at all", body = Failure),
        Asked<InPool>,
    )
)]
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

/// The algorithm that a pool is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedAlgorithm)]
struct Wanted {
    /// A balancer's name, with underscores or as the plugin is named.
    #[schema(example = "least_connections")]
    algorithm: String,
    /// The default pool if it is not said.
    pool: Option<String>,
}

/// Change a pool's algorithm.
///
/// One that was uploaded as a plugin of its own takes the role `deploy`.
#[utoipa::path(
    put, path = "/api/algorithm", operation_id = "changeAlgorithm", tag = "algorithms",
    params(Expected),
    request_body = Wanted,
    responses(
        (status = OK, description = "The pool has it", body = Success<Outcome<Answer>>, headers(("ETag"))),
        Body<Wanted>, Refusal, Expected,
    )
)]
async fn put(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    expected: Expected,
    Body(Wanted { algorithm, pool }): Body<Wanted>,
) -> Result<Response, Refusal> {
    if let Some(refused) = refuse_uploaded(&control, &who, Some(&algorithm)) {
        return Ok(refused);
    }
    let name = pool.clone();
    let asked = Arc::clone(&control);
    let make = move |config: &Config| {
        let pool = pool_of(config, name.as_deref())?;
        let settings = Settings {
            algorithm: Some(algorithm),
            ..Settings::default()
        };
        Ok(Change {
            action: "algorithm",
            target: Key::pool(pool.name.as_str()).then("balancer").to_string(),
            edits: settings.edits(config, pool, &asked.desired())?,
        })
    };
    let changed = control.change(who, expected.0, make).await?;
    let snapshot = control.publisher.snapshot();
    let answer = Answer::of(&snapshot.config, pool.as_deref())?;
    Ok(outcome(&control, changed, StatusCode::OK, answer))
}

/// Refuse an algorithm that only who deploys may bring into force: code that came
/// in through the API. Where balancers are judged, it is brought there by its binding.
/// None where there is nothing to refuse.
pub(super) fn refuse_uploaded(
    control: &Control,
    who: &Who,
    algorithm: Option<&str>,
) -> Option<Response> {
    let needed = access::Role::Deploy;
    let config = &control.publisher.snapshot().config;
    let is_judged = config.admin.certify_balancers == Certify::Require;
    if who.role >= needed && !is_judged {
        return None;
    }
    // What nobody has declared is told in its place.
    let plugin = plugin_named(config, algorithm?).ok()?;
    let declared_by = declared_by(control, config, &PluginName::from(plugin.as_str()));
    if declared_by != VersionSource::Upload {
        return None;
    }
    if who.role < needed {
        return Some(login::forbidden(who, needed));
    }
    let message = format!(
        "{plugin} was uploaded and has to be judged first (admin.certify_balancers); bind it by \
         `gatewright plugin activate POOL/balancer {plugin}` or PUT /api/bindings/POOL/balancer, \
         which do that"
    );
    Some(Refusal::Conflict(message).into_response())
}
