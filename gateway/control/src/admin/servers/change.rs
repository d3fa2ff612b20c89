//! Adding, removing, weighing and draining servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use gatewright_model::config::{Config, Key, PoolConfig, host_or_socket, is_socket, server_id};
use gatewright_model::endpoint::Endpoint;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{ID, Server, find, unknown};
use crate::access::Who;
use crate::admin::asked::{Asked, InPool, Named};
use crate::admin::body::Body;
use crate::admin::envelope::Success;
use crate::admin::fields::{period, pool_of, unchecked};
use crate::admin::precondition::{Expected, Outcome, outcome};
use crate::change::{Change, Changed, Edit, Refusal};
use crate::control::Control;

/// How often to look whether a new server has been checked.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long a first check may take beyond its own timeout: for its turn.
const GRACE: Duration = Duration::from_secs(1);

/// A server to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::admin) struct NewServer {
    /// A name or an address; or `unix:` and the whole path of a Unix socket.
    #[schema(example = "10.0.0.7")]
    host: String,
    /// A Unix socket has none.
    #[schema(minimum = 1, maximum = 65535, example = 3000)]
    port: Option<u16>,
    /// Its share of the work; 1 if it is not said.
    #[schema(maximum = 65535, example = 2)]
    weight: Option<u16>,
    /// The default pool if it is not said.
    pool: Option<String>,
    /// What policies go by.
    labels: Option<BTreeMap<String, String>>,
    /// Whether it takes no new work from the beginning.
    draining: Option<bool>,
    /// The pool's if it is not said, as the interval.
    #[schema(example = "/health")]
    health_check_path: Option<String>,
    /// In seconds.
    #[schema(minimum = 0, example = 5.0)]
    health_check_interval: Option<f64>,
}

impl NewServer {
    /// The id that it will have.
    pub(in crate::admin) fn id(&self) -> Result<String, Refusal> {
        let host = host_or_socket(&self.host).map_err(|wrong| Refusal::field("host", wrong))?;
        let port = match (is_socket(&host), self.port) {
            (true, None) => 0,
            (true, Some(_)) => {
                return Err(Refusal::field(
                    "port",
                    "a Unix socket has no port; leave it out",
                ));
            }
            (false, None | Some(0)) => {
                return Err(Refusal::field("port", "write a port from 1 to 65535"));
            }
            (false, Some(port)) => port,
        };
        Ok(server_id(&host, port))
    }

    /// As a configuration file would say it.
    pub(in crate::admin) fn written(&self) -> Result<Value, Refusal> {
        let mut server = json!({ "host": self.host });
        if let Some(port) = self.port {
            server["port"] = json!(port);
        }
        if let Some(weight) = self.weight {
            server["weight"] = json!(weight);
        }
        if let Some(labels) = &self.labels {
            server["labels"] = json!(labels);
        }
        if let Some(draining) = self.draining {
            server["drain"] = json!(draining);
        }
        if let Some(path) = &self.health_check_path {
            server["health"]["path"] = json!(path);
        }
        if let Some(seconds) = self.health_check_interval {
            server["health"]["interval"] = period("healthCheckInterval", seconds)?;
        }
        Ok(server)
    }

    /// Adding it to its pool.
    fn change(&self, config: &Config) -> Result<Change, Refusal> {
        let pool = pool_of(config, self.pool.as_deref())?;
        let id = self.id()?;
        if pool.servers.iter().any(|server| server.id.as_str() == id) {
            let message = format!("{id} is in pool {} already", pool.name);
            return Err(Refusal::Conflict(message));
        }
        if pool.health.is_none() {
            if self.health_check_path.is_some() {
                return Err(unchecked("healthCheckPath", pool));
            }
            if self.health_check_interval.is_some() {
                return Err(unchecked("healthCheckInterval", pool));
            }
        }
        let key = Key::server(pool.name.as_str(), &id);
        Ok(Change {
            action: "server.add",
            target: key.to_string(),
            edits: vec![Edit::Set(key, self.written()?)],
        })
    }
}

/// Add a server.
///
/// The answer comes once it has been checked, or could have been.
#[utoipa::path(
    post, path = "/api/servers", operation_id = "addServer", tag = "servers",
    params(Expected),
    request_body = NewServer,
    responses(
        (status = CREATED, description = "It is there", body = Success<Outcome<Server>>, headers(("ETag"))),
        Body<NewServer>, Refusal, Expected,
    )
)]
pub(super) async fn add(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    expected: Expected,
    Body(new): Body<NewServer>,
) -> Result<Response, Refusal> {
    let id = new.id()?;
    let wanted = new.clone();
    let changed = control
        .change(who, expected.0, move |config| wanted.change(config))
        .await?;
    let snapshot = control.publisher.snapshot();
    let name = pool_of(&snapshot.config, new.pool.as_deref())?.name.clone();
    let (pool, endpoint) = find(&snapshot, &id, Some(name.as_str()))?;
    first_check(endpoint).await;
    control.roster.look(&snapshot);
    let server = Server::of(&control, &control.desired(), pool, endpoint);
    Ok(outcome(&control, changed, StatusCode::CREATED, server))
}

/// Wait until an endpoint has been checked for the first time, though not for
/// ever.
async fn first_check(endpoint: &Endpoint) {
    let Some(check) = &endpoint.health else {
        return;
    };
    let checked = async {
        while endpoint.state.last_check().is_none() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // What is still unknown then is shown as such.
    let _ = tokio::time::timeout(check.timeout + GRACE, checked).await;
}

/// What is said of a server that was changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChangedServer)]
struct About<T> {
    #[schema(example = "10.0.0.7:3000")]
    server_id: String,
    /// The pools in which that was done.
    pools: Vec<String>,
    #[serde(flatten)]
    now: T,
}

/// That a server is there no more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RemovedServer)]
struct Removed {
    removed: bool,
}

/// Remove a server.
///
/// It gets no new request from now on, and what it has is finished.
#[utoipa::path(
    delete, path = "/api/servers/{serverId}", operation_id = "removeServer", tag = "servers",
    params(("serverId" = String, Path, description = ID), InPool, Expected),
    responses(
        (status = OK, description = "It is gone", body = Success<Outcome<About<Removed>>>, headers(("ETag"))),
        Named, Refusal, Expected,
    )
)]
pub(super) async fn remove(
    State(control): State<Arc<Control>>,
    wish: Wish,
) -> Result<Response, Refusal> {
    let removal = |key: Key| Edit::Remove(key);
    wish.answer(
        &control,
        "server.remove",
        removal,
        Removed { removed: true },
    )
    .await
}

/// A server's share of the work.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Weight {
    #[schema(maximum = 65535, example = 5)]
    weight: u16,
}

/// The weight that a server has now.
#[derive(Debug, Serialize, ToSchema)]
struct Weighed {
    weight: u16,
}

/// Change a server's weight.
#[utoipa::path(
    put, path = "/api/servers/{serverId}/weight", operation_id = "weighServer", tag = "servers",
    params(("serverId" = String, Path, description = ID), InPool, Expected),
    request_body = Weight,
    responses(
        (status = OK, description = "It has it", body = Success<Outcome<About<Weighed>>>, headers(("ETag"))),
        Named, Body<Weight>, Refusal, Expected,
    )
)]
pub(super) async fn weigh(
    State(control): State<Arc<Control>>,
    wish: Wish,
    Body(Weight { weight }): Body<Weight>,
) -> Result<Response, Refusal> {
    let weighing = move |key: Key| Edit::Set(key.then("weight"), json!(weight));
    wish.answer(&control, "server.weight", weighing, Weighed { weight })
        .await
}

/// Whether a server takes no new work.
#[derive(Debug, Serialize, ToSchema)]
struct Draining {
    draining: bool,
}

/// Drain a server.
///
/// It gets no new work, but for sessions of its own.
#[utoipa::path(
    post, path = "/api/servers/{serverId}/drain", operation_id = "drainServer", tag = "servers",
    params(("serverId" = String, Path, description = ID), InPool, Expected),
    responses(
        (status = OK, description = "It drains", body = Success<Outcome<About<Draining>>>, headers(("ETag"))),
        Named, Refusal, Expected,
    )
)]
pub(super) async fn drain(
    State(control): State<Arc<Control>>,
    wish: Wish,
) -> Result<Response, Refusal> {
    let draining = |key: Key| Edit::Set(key.then("drain"), json!(true));
    wish.answer(
        &control,
        "server.drain",
        draining,
        Draining { draining: true },
    )
    .await
}

/// End the draining of a server.
#[utoipa::path(
    post, path = "/api/servers/{serverId}/enable", operation_id = "enableServer", tag = "servers",
    params(("serverId" = String, Path, description = ID), InPool, Expected),
    responses(
        (status = OK, description = "It takes work", body = Success<Outcome<About<Draining>>>, headers(("ETag"))),
        Named, Refusal, Expected,
    )
)]
pub(super) async fn enable(
    State(control): State<Arc<Control>>,
    wish: Wish,
) -> Result<Response, Refusal> {
    let enabling = |key: Key| Edit::Set(key.then("drain"), json!(false));
    wish.answer(
        &control,
        "server.enable",
        enabling,
        Draining { draining: false },
    )
    .await
}

/// Who asks for a change of which server.
pub(super) struct Wish {
    who: Who,
    expected: Expected,
    id: String,
    pool: Option<String>,
}

impl FromRequestParts<Arc<Control>> for Wish {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        control: &Arc<Control>,
    ) -> Result<Self, Response> {
        type Asking = (Extension<Who>, Named, Asked<InPool>, Expected);
        let asking = Asking::from_request_parts(parts, control).await?;
        let (Extension(who), Named(id), Asked(InPool { pool }), expected) = asking;
        Ok(Self {
            who,
            expected,
            id,
            pool,
        })
    }
}

impl Wish {
    /// Edit the server in every pool that is meant, and say so.
    async fn answer(
        self,
        control: &Arc<Control>,
        action: &'static str,
        edit: impl Fn(Key) -> Edit + Clone + Send + 'static,
        now: impl Serialize,
    ) -> Result<Response, Refusal> {
        let Self {
            who,
            expected,
            id,
            pool,
        } = self;
        // Which pools have it is asked again when it is the change's turn.
        let pools = pools_with(&control.publisher.snapshot().config, &id, pool.as_deref())?;
        let server_id = id.clone();
        let make = move |config: &Config| {
            let pools = pools_with(config, &id, pool.as_deref())?;
            let keys = pools.iter().map(|pool| Key::server(pool, &id));
            Ok(Change {
                action,
                target: keys
                    .clone()
                    .map(|key| key.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
                edits: keys.map(edit).collect(),
            })
        };
        let changed: Changed = control.change(who, expected.0, make).await?;
        let about = About {
            server_id,
            pools,
            now,
        };
        Ok(outcome(control, changed, StatusCode::OK, about))
    }
}

/// The pools that have a server, or the one that is named if it has it.
fn pools_with(config: &Config, id: &str, wanted: Option<&str>) -> Result<Vec<String>, Refusal> {
    let is_wanted = |pool: &PoolConfig| wanted.is_none_or(|name| name == pool.name.as_str());
    let has_it = |pool: &PoolConfig| pool.servers.iter().any(|server| server.id.as_str() == id);
    let pools = config.pools.iter();
    let pools = pools.filter(|pool| is_wanted(pool) && has_it(pool));
    let pools: Vec<_> = pools.map(|pool| pool.name.to_string()).collect();
    match pools.is_empty() {
        true => Err(unknown(id, wanted)),
        false => Ok(pools),
    }
}
