//! What a request's address says: the name in its path, the values in its
//! query. What cannot be read is told in the envelope.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::envelope::failure;

/// The one name in the path, without its escapes.
pub(super) struct Named(pub(super) String);

/// The values after the question mark.
pub(super) struct Asked<T>(pub(super) T);

/// Which pool is meant, in a query.
#[derive(Debug, Deserialize)]
pub(super) struct InPool {
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

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(values)| Self(values))
            .map_err(|error| bad_address(error.body_text()))
    }
}

fn bad_address(message: String) -> Response {
    failure(StatusCode::BAD_REQUEST, "bad_address", message)
}
