//! `/api/config`: the default pool's settings and the listener's, flat, as
//! simple clients want them; and what was changed at run time.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use gatewright_model::config::{Config, Key, Tls};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, InPool};
use super::body::Body;
use super::fields::{Settings, Shown, pool_of, shown_pool};
use super::precondition::{Expected, outcome, tagged};
use crate::access::Who;
use crate::change::{Change, Refusal};
use crate::control::Control;
use crate::desired::Desired;

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new().route("/api/config", get(show).put(put))
}

/// Everything, but for what may be secret: the configurations of plugins and
/// the values of overrides are not shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// Whose settings these are: the default pool, or the one that was named.
    pool: String,
    #[serde(flatten)]
    settings: Shown,
    #[serde(flatten)]
    tls: Termination,
    /// Keys that were changed at run time.
    overrides: Vec<String>,
    /// Those of them that are not in force, and why.
    left_out: Vec<LeftOut>,
}

/// Whether and how a listener speaks TLS.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Termination {
    ssl_termination: bool,
    /// None without TLS, and with a certificate that is made at the start.
    ssl_cert_path: Option<String>,
    ssl_key_path: Option<String>,
}

#[derive(Debug, Serialize)]
struct LeftOut {
    key: String,
    reason: String,
}

impl Answer {
    fn of(config: &Config, desired: &Desired, pool: Option<&str>) -> Result<Self, Refusal> {
        let pool = shown_pool(config, pool)?;
        let overrides = desired.overlay.iter().map(|(key, _)| key.to_string());
        let left_out = desired.left_out.iter().map(|left| LeftOut {
            key: left.key.to_string(),
            reason: left.reason.clone(),
        });
        Ok(Self {
            pool: pool.name.to_string(),
            settings: Shown::of(pool),
            tls: Termination::of(config),
            overrides: overrides.collect(),
            left_out: left_out.collect(),
        })
    }
}

impl Termination {
    /// The first listener's that speaks TLS.
    fn of(config: &Config) -> Self {
        let mut speaking = config.listeners.iter().filter_map(|one| one.tls.as_ref());
        let tls = speaking.next();
        let files = match tls {
            Some(Tls::Certificates(files)) => files.first(),
            _ => None,
        };
        Self {
            ssl_termination: tls.is_some(),
            ssl_cert_path: files.map(|files| files.certificate.display().to_string()),
            ssl_key_path: files.map(|files| files.key.display().to_string()),
        }
    }
}

async fn show(
    State(control): State<Arc<Control>>,
    Asked(wanted): Asked<InPool>,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    let pool = wanted.pool.as_deref();
    let answer = Answer::of(&snapshot.config, &control.desired(), pool)?;
    Ok(tagged(
        &control,
        snapshot.generation,
        StatusCode::OK,
        answer,
    ))
}

/// What is to change; what is left out stays. All of an answer may be sent
/// back: what nobody can change here is passed over when it is as it was.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    pool: Option<String>,
    algorithm: Option<String>,
    session_persistence: Option<bool>,
    hash_key: Option<String>,
    health_check_enabled: Option<bool>,
    health_check_path: Option<String>,
    health_check_interval: Option<f64>,
    health_check_timeout: Option<f64>,
    max_retries: Option<u32>,
    connect_timeout: Option<f64>,
    request_timeout: Option<f64>,
    ssl_termination: Option<bool>,
    ssl_cert_path: Option<String>,
    ssl_key_path: Option<String>,
    #[serde(rename = "overrides")]
    _overrides: Option<IgnoredAny>,
    #[serde(rename = "leftOut")]
    _left_out: Option<IgnoredAny>,
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

    fn change(self, config: &Config) -> Result<Change, Refusal> {
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
        };
        Ok(Change {
            action: "config.change",
            target: Key::pool(pool.name.as_str()).to_string(),
            edits: settings.edits(config, pool)?,
        })
    }
}

async fn put(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    expected: Expected,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Refusal> {
    let pool = wanted.pool.clone();
    let make = move |config: &Config| wanted.change(config);
    let changed = control.change(who, expected.0, make).await?;
    let snapshot = control.publisher.snapshot();
    let answer = Answer::of(&snapshot.config, &control.desired(), pool.as_deref())?;
    Ok(outcome(&control, changed, StatusCode::OK, answer))
}
