//! The one form of every JSON answer: `{"success": true, "data": …}` or
//! `{"success": false, "error": {"code", "message", "field"?}}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use gatewright_host::Refusal as Component;
use gatewright_model::config::ConfigErrors;
use serde::Serialize;
use utoipa::openapi::{RefOr, Response as Described};
use utoipa::{IntoResponses, ToSchema};

use super::fields::field_of;
use super::openapi::refusals;
use crate::change::Refusal;
use crate::store::StoreError;

/// A good answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Success<T> {
    /// `true`.
    #[schema(example = true)]
    success: bool,
    data: T,
}

/// A refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Failure {
    /// `false`.
    #[schema(example = false)]
    success: bool,
    error: Reason,
}

/// Why something is refused.
#[derive(Debug, Serialize, ToSchema)]
struct Reason {
    /// For programs.
    #[schema(example = "invalid")]
    code: &'static str,
    /// For people.
    #[schema(example = "write a port from 1 to 65535")]
    message: String,
    /// The field of the request that is to blame.
    #[schema(value_type = String, required = false, example = "port")]
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

/// Answer with this.
pub(super) fn success<T: Serialize>(data: T) -> Json<Success<T>> {
    Json(Success {
        success: true,
        data,
    })
}

/// Refuse with a code for programs and a sentence for people.
pub(super) fn failure(status: StatusCode, code: &'static str, message: String) -> Response {
    failure_of(status, code, message, None)
}

/// [`failure`], for which a field of the request is to blame.
pub(super) fn failure_of(
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<String>,
) -> Response {
    let error = Reason {
        code,
        message,
        field,
    };
    let failure = Failure {
        success: false,
        error,
    };
    (status, Json(failure)).into_response()
}

/// There is no such path.
pub(super) async fn not_found(uri: Uri) -> Response {
    missing(uri.path())
}

/// What is said of a path that leads nowhere.
pub(super) fn missing(path: &str) -> Response {
    let message = format!("there is no {path}");
    failure(StatusCode::NOT_FOUND, "not_found", message)
}

/// The path is there, but not for this method; the framework adds `Allow`.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let message = format!("{} does not take {method}", uri.path());
    failure(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let message = self.to_string();
        let (status, code, field) = match self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found", None),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", None),
            Self::Invalid { field, .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", field),
            Self::Stale => (StatusCode::PRECONDITION_FAILED, "stale", None),
            Self::Plugin(refusal) => return refused(&refusal),
            Self::NotGranted { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", None),
            Self::Unfetched { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "not_fetched", None),
            Self::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", None),
            Self::Wrong(errors) => return wrong(&errors),
            Self::NeedsRestart(_) => (StatusCode::CONFLICT, "needs_restart", None),
            Self::Store(StoreError::HandedOver) => return soon("upgrading", message),
            Self::Cluster(_) => return soon("cluster_away", message),
            Self::NotUpgraded(_) => (StatusCode::CONFLICT, "not_upgraded", None),
            Self::Store(_) => (StatusCode::INSUFFICIENT_STORAGE, "not_kept", None),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping", None),
        };
        failure_of(status, code, message, field)
    }
}

/// In a moment changes are taken again: by the gateway that is taking over, or when
/// the cluster's server is there.
fn soon(code: &'static str, message: String) -> Response {
    let mut response = failure(StatusCode::SERVICE_UNAVAILABLE, code, message);
    let seconds = HeaderValue::from_static("1");
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

/// Why a change that is right may fail all the same.
pub(super) struct Unkept;

impl IntoResponses for Unkept {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        refusals(&[
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "`stopping`: the gateway is ending; `upgrading`: another one is taking over, \
                 `cluster_away`: the cluster's server does not take it, ask again after \
                 `Retry-After`",
            ),
            (
                StatusCode::INSUFFICIENT_STORAGE,
                "`not_kept`: the disk does not take it",
            ),
        ])
    }
}

/// What a change may be refused with.
impl IntoResponses for Refusal {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let mut answers = Unkept::responses();
        answers.extend(refusals(&[
            (
                StatusCode::NOT_FOUND,
                "`not_found`: what it is about is not there",
            ),
            (
                StatusCode::CONFLICT,
                "`conflict`: it does not go with what is there; `needs_restart`: a running \
                 gateway cannot take it over",
            ),
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                "`invalid`: a value is wrong, of the field that is named if one is to blame",
            ),
        ]));
        answers
    }
}

/// Why a component cannot be a plugin, or cannot be kept.
fn refused(refusal: &Component) -> Response {
    let (status, code) = match refusal {
        Component::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        Component::NotKept(_) => (StatusCode::INSUFFICIENT_STORAGE, "not_kept"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused"),
    };
    failure(status, code, refusal.to_string())
}

/// What a request would make of the configuration, without the lines of files
/// that the request knows nothing of.
fn wrong(errors: &ConfigErrors) -> Response {
    let told = errors.iter().map(|error| match error.key.as_str() {
        "" => error.message.clone(),
        key => format!("{key}: {}", error.message),
    });
    let message = told.collect::<Vec<_>>().join("\n");
    let field = errors.iter().next().and_then(|error| field_of(&error.key));
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    failure_of(status, "invalid", message, field)
}
