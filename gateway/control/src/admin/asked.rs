//! What a request's address says: the name in its path, the values in its
//! query. What cannot be read is told in the envelope.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::{RefOr, Response as Described};
use utoipa::{IntoParams, IntoResponses};

use super::envelope::failure;
use super::openapi::refusals;

/// The one name in the path, without its escapes.
pub(super) struct Named(pub(super) String);

/// The two names in the path, without their escapes.
pub(super) struct NamedWithin(pub(super) String, pub(super) String);

/// The values after the question mark.
pub(super) struct Asked<T>(pub(super) T);

/// Which pool is meant, in a query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InPool {
    /// The pool that is meant.
    #[param(value_type = String, required = false)]
    pub(super) pool: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name))
            .map_err(|error| bad_address(error.body_text()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NamedWithin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        path.map(|Path((outer, inner))| Self(outer, inner))
            .map_err(|error| bad_address(error.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(values)| Self(values))
            .map_err(|error| bad_address(error.body_text()))
    }
}

/// What is wrong with addresses that cannot be read.
impl IntoResponses for Named {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        refusals(&[(StatusCode::BAD_REQUEST, BAD_ADDRESS)])
    }
}

/// What is wrong with addresses that cannot be read.
impl IntoResponses for NamedWithin {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        Named::responses()
    }
}

/// What is wrong with addresses that cannot be read.
impl<T> IntoResponses for Asked<T> {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        refusals(&[(StatusCode::BAD_REQUEST, BAD_ADDRESS)])
    }
}

const BAD_ADDRESS: &str = "`bad_address`: the path or what follows the question mark does not read";

fn bad_address(message: String) -> Response {
    failure(StatusCode::BAD_REQUEST, "bad_address", message)
}
