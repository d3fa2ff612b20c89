//! `/api/config`: the default pool's settings and the listener's, flat, as
//! simple clients want them; and what was changed at run time.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatewright_model::config::{Config, Key};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::algorithm::refuse_uploaded;
use super::asked::{Asked, InPool};
use super::body::Body;
use super::envelope::{Failure, Success};
use super::fields::{Settings, Shown, default_pool, pool_of, shown_pool};
use super::precondition::{Expected, Outcome, outcome, tagged};
use crate::access::Who;
use crate::change::{Change, Edit, Refusal};
use crate::control::Control;
use crate::desired::Desired;
use crate::reloads::LastReload;

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(show, put))
}

/// Everything, but for what may be secret: the configurations of plugins and
/// the values of overrides are not shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Configuration)]
struct Answer {
    /// Whose settings these are: the default pool, or the one that was named.
    pool: String,
    /// Where a request goes that nothing routes.
    default_pool: Option<String>,
    #[serde(flatten)]
    settings: Shown,
    #[serde(flatten)]
    tls: Termination,
    /// Keys that were changed at run time.
    overrides: Vec<String>,
    /// Those of them that are not in force, and why.
    left_out: Vec<LeftOut>,
    last_reload: LastReload,
}

/// Whether and how a listener speaks TLS.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Termination {
    ssl_termination: bool,
    /// None without TLS, and with a certificate that is made at the start.
    ssl_cert_path: Option<String>,
    ssl_key_path: Option<String>,
}

/// A change made at run time that does not fit what the file says now.
#[derive(Debug, Serialize, ToSchema)]
struct LeftOut {
    key: String,
    reason: String,
}

impl Answer {
    fn of(control: &Control, config: &Config, pool: Option<&str>) -> Result<Self, Refusal> {
        let pool = shown_pool(config, pool)?;
        let desired = control.desired();
        let overrides = desired.overlay.iter().map(|(key, _)| key.to_string());
        let left_out = desired.left_out.iter().map(|left| LeftOut {
            key: left.key.to_string(),
            reason: left.reason.clone(),
        });
        Ok(Self {
            pool: pool.name.to_string(),
            default_pool: default_pool(config).map(str::to_owned),
            settings: Shown::of(pool),
            tls: Termination::of(config),
            overrides: overrides.collect(),
            left_out: left_out.collect(),
            last_reload: control.reloads.last(),
        })
    }
}

impl Termination {
    /// The first listener's that speaks TLS.
    fn of(config: &Config) -> Self {
        let mut speaking = config.listeners.iter().filter_map(|one| one.tls.as_ref());
        let tls = speaking.next();
        let files = tls.and_then(|tls| tls.certificates.files().first());
        Self {
            ssl_termination: tls.is_some(),
            ssl_cert_path: files.map(|files| files.certificate.path.display().to_string()),
            ssl_key_path: files.map(|files| files.key.path.display().to_string()),
        }
    }
}

/// Show a pool's settings and the listener's.
///
/// Those of the default pool, or of the first where there is no default one.
#[utoipa::path(
    get, path = "/api/config", operation_id = "showConfiguration", tag = "settings",
    params(InPool),
    responses(
        (status = OK, description = "The settings in force", body = Success<Answer>, headers(("ETag"))),
        (status = NOT_FOUND, description = "There is no such pool", body = Failure),
        (status = UNPROCESSABLE_ENTITY, description = "There is no pool at all", body = Failure),
        Asked<InPool>,
    )
)]
async fn show(
    State(control): State<Arc<Control>>,
    Asked(wanted): Asked<InPool>,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    let pool = wanted.pool.as_deref();
    let answer = Answer::of(&control, &snapshot.config, pool)?;
    Ok(tagged(
        &control,
        snapshot.generation,
        StatusCode::OK,
        answer,
    ))
}

/// What is to change; what is left out stays. All of an answer may be sent
/// back: what nobody can change here is passed over when it is as it was.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = WantedConfiguration)]
struct Wanted {
    /// The default pool if it is not said.
    pool: Option<String>,
    /// Where a request goes that nothing routes.
    default_pool: Option<String>,
    /// A balancer's name, with underscores or as the plugin is named.
    #[schema(example = "least_connections")]
    algorithm: Option<String>,
    /// Whether clients stay with their server.
    session_persistence: Option<bool>,
    /// What a client is told by: `client-address`, `path`, `header:NAME` or
    /// `cookie:NAME`.
    #[schema(example = "client-address")]
    hash_key: Option<String>,
    health_check_enabled: Option<bool>,
    #[schema(example = "/health")]
    health_check_path: Option<String>,
    /// In seconds.
    #[schema(minimum = 0, example = 5.0)]
    health_check_interval: Option<f64>,
    /// In seconds.
    #[schema(minimum = 0, example = 2.0)]
    health_check_timeout: Option<f64>,
    /// Attempts beyond the first.
    #[schema(example = 2)]
    max_retries: Option<u32>,
    /// In seconds.
    #[schema(minimum = 0, example = 3.0)]
    connect_timeout: Option<f64>,
    /// In seconds.
    #[schema(minimum = 0, example = 60.0)]
    request_timeout: Option<f64>,
    /// The most requests in flight on each server; 0 is no limit.
    #[schema(example = 100)]
    max_active_per_server: Option<u32>,
    /// The most requests in flight on all servers; 0 is no limit.
    #[schema(example = 500)]
    max_active: Option<u32>,
    /// How many requests may wait for a server that has room.
    #[schema(example = 1000)]
    queue_size: Option<u32>,
    /// In seconds.
    #[schema(minimum = 0, example = 1.0)]
    queue_timeout: Option<f64>,
    /// Whether servers whose requests fail get none for a while.
    circuit_breaker: Option<bool>,
    /// Requests in a row without a usable answer after which they get none.
    #[schema(example = 3)]
    fail_threshold: Option<u32>,
    /// For how long they get none the first time, in seconds.
    #[schema(minimum = 0, example = 5.0)]
    open_time: Option<f64>,
    /// All servers get requests while less than this percentage is well; 0 is
    /// never.
    #[schema(maximum = 100, example = 0)]
    panic_threshold: Option<u8>,
    /// In how many seconds a new server comes to its whole share.
    #[schema(minimum = 0, example = 0.0)]
    slow_start: Option<f64>,
    ssl_termination: Option<bool>,
    ssl_cert_path: Option<String>,
    ssl_key_path: Option<String>,
    /// As it was shown: it is passed over.
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(rename = "overrides")]
    _overrides: Option<IgnoredAny>,
    /// As it was shown: it is passed over.
    #[schema(value_type = Option<Vec<LeftOut>>)]
    #[serde(rename = "leftOut")]
    _left_out: Option<IgnoredAny>,
    /// As it was shown: it is passed over.
    #[schema(value_type = Option<LastReload>)]
    #[serde(rename = "lastReload")]
    _last_reload: Option<IgnoredAny>,
}

impl Wanted {
    /// Listeners are bound at the start.
    fn check_tls(&self, config: &Config) -> Result<(), Refusal> {
        let now = Termination::of(config);
        let differs = |wanted: &Option<String>, now: &Option<String>| {
            wanted.is_some() && wanted.as_ref() != now.as_ref()
        };
        let changes = [
            (
                "sslTermination",
                self.ssl_termination
                    .is_some_and(|on| on != now.ssl_termination),
            ),
            (
                "sslCertPath",
                differs(&self.ssl_cert_path, &now.ssl_cert_path),
            ),
            ("sslKeyPath", differs(&self.ssl_key_path, &now.ssl_key_path)),
        ];
        match changes.iter().find(|(_, changes)| *changes) {
            Some((field, _)) => Err(Refusal::field(
                field,
                "listeners are bound at the start: change [[listener]] in the configuration file \
                 and restart",
            )),
            None => Ok(()),
        }
    }

    fn change(self, config: &Config, desired: &Desired) -> Result<Change, Refusal> {
        self.check_tls(config)?;
        let pool = pool_of(config, self.pool.as_deref())?;
        let settings = Settings {
            algorithm: self.algorithm,
            session_persistence: self.session_persistence,
            hash_key: self.hash_key,
            health_check_enabled: self.health_check_enabled,
            health_check_path: self.health_check_path,
            health_check_interval: self.health_check_interval,
            health_check_timeout: self.health_check_timeout,
            max_retries: self.max_retries,
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout,
            max_active_per_server: self.max_active_per_server,
            max_active: self.max_active,
            queue_size: self.queue_size,
            queue_timeout: self.queue_timeout,
            circuit_breaker: self.circuit_breaker,
            fail_threshold: self.fail_threshold,
            open_time: self.open_time,
            panic_threshold: self.panic_threshold,
            slow_start: self.slow_start,
        };
        let mut edits = settings.edits(config, pool, desired)?;
        let default = self.default_pool.as_deref();
        if let Some(default) = default.filter(|name| default_pool(config) != Some(name)) {
            edits.push(Edit::Set(Key::top("default_pool"), json!(default)));
        }
        Ok(Change {
            action: "config.change",
            target: Key::pool(pool.name.as_str()).to_string(),
            edits,
        })
    }
}

/// Change a pool's settings.
///
/// Those that are left out stay as they are. What `GET` answered may be sent
/// back whole.
#[utoipa::path(
    put, path = "/api/config", operation_id = "changeConfiguration", tag = "settings",
    params(Expected),
    request_body = Wanted,
    responses(
        (status = OK, description = "The settings in force", body = Success<Outcome<Answer>>, headers(("ETag"))),
        Body<Wanted>, Refusal, Expected,
    )
)]
async fn put(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    expected: Expected,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Refusal> {
    let refused = refuse_uploaded(&control, &who, wanted.algorithm.as_deref());
    if let Some(refused) = refused {
        return Ok(refused);
    }
    let pool = wanted.pool.clone();
    let asked = Arc::clone(&control);
    let make = move |config: &Config| wanted.change(config, &asked.desired());
    let changed = control.change(who, expected.0, make).await?;
    let snapshot = control.publisher.snapshot();
    let answer = Answer::of(&control, &snapshot.config, pool.as_deref())?;
    Ok(outcome(&control, changed, StatusCode::OK, answer))
}
