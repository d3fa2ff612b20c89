//! `ETag` and `If-Match`: which state of the configuration an answer is about,
//! and which one a change builds on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gatewright_model::id::Generation;
use serde::Serialize;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Response as Described};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::envelope::success;
use super::openapi::refusals;
use crate::change::Changed;
use crate::control::Control;

/// The state that a change builds on; none for whatever it is.
pub(super) struct Expected(pub(super) Option<Generation>);

impl FromRequestParts<Arc<Control>> for Expected {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        control: &Arc<Control>,
    ) -> Result<Self, Infallible> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(None));
        };
        let mut tags = value.to_str().unwrap_or_default().split(',').map(str::trim);
        let in_force = control.publisher.snapshot().generation;
        let mine = tag(control, in_force);
        // Whether it is still so when the change has its turn is checked there.
        Ok(Self(match tags.any(|tag| tag == mine) {
            true => Some(in_force),
            false if value == "*" => None,
            // No state has this number.
            false => Some(Generation(0)),
        }))
    }
}

/// The header that says so.
impl IntoParams for Expected {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        let description = "The `ETag` of what the change builds on; if it is not in force any more, \
             nothing is changed";
        let header = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(text));
        vec![header.build()]
    }
}

/// The answer when it is not in force.
impl IntoResponses for Expected {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let stale = "`stale`: `If-Match` names a state that is not in force any more";
        refusals(&[(StatusCode::PRECONDITION_FAILED, stale)])
    }
}

/// An answer about a state of the configuration.
pub(super) fn tagged<T: Serialize>(
    control: &Control,
    generation: Generation,
    status: StatusCode,
    data: T,
) -> Response {
    let tag = [(header::ETAG, tag(control, generation))];
    (status, tag, success(data)).into_response()
}

/// What a change came to, with what it is about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Outcome<T> {
    #[serde(flatten)]
    about: T,
    /// Whether anything is otherwise than before.
    changed: bool,
    applied: Applied,
    /// The number of the configuration in force.
    generation: u64,
}

/// On how many workers a change is in force.
#[derive(Debug, Serialize, ToSchema)]
struct Applied {
    /// Workers that have it in force.
    workers: usize,
    /// Workers that there are.
    of: usize,
}

/// The answer to a change.
pub(super) fn outcome<T: Serialize>(
    control: &Control,
    changed: Changed,
    status: StatusCode,
    about: T,
) -> Response {
    let applied = Applied {
        workers: changed.workers,
        of: changed.of,
    };
    let outcome = Outcome {
        about,
        changed: changed.is_new,
        applied,
        generation: changed.generation.0,
    };
    tagged(control, changed.generation, status, outcome)
}

/// Another run of the gateway begins to count again, so its tags are others.
fn tag(control: &Control, generation: Generation) -> String {
    format!("\"{:x}-{}\"", control.run, generation.0)
}
