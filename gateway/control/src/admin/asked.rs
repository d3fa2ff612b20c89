//! What a request's address says: the name in its path, the values in its
//! query. What cannot be read, or is not known, is told in the envelope.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::num::IntErrorKind;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, MatchedPath, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use gatewright_model::config::{Medium, did_you_mean};
use gatewright_model::snapshot::Snapshot;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr, Response as Described};
use utoipa::{IntoParams, IntoResponses};

use super::envelope::{failure, failure_of};
use super::openapi::{methods, refusals, refused};
use crate::change::Refusal;

/// The one name in the path, without its escapes.
pub(super) struct Named(pub(super) String);

/// The two names in the path, without their escapes.
pub(super) struct NamedWithin(pub(super) String, pub(super) String);

/// The values after the question mark.
pub(super) struct Asked<T>(pub(super) T);

/// The names that may follow the question mark, of each path and method: those that
/// the document has.
pub(super) struct Known(HashMap<(String, Method), Vec<String>>);

impl Known {
    /// Those of the API, whose document then says that others are refused. Who scrapes
    /// `/metrics` may add what it likes.
    pub(super) fn of(document: &mut OpenApi) -> Self {
        let paths = document.paths.paths.iter_mut();
        let paths = paths.filter(|(path, _)| path.starts_with("/api/"));
        let operations = paths.flat_map(|(path, item)| {
            methods(item).map(move |(method, operation)| {
                let answers = &mut operation.responses.responses;
                let status = StatusCode::BAD_REQUEST.as_str().to_owned();
                let answer = answers.entry(status);
                answer.or_insert_with(|| refused(BAD_ADDRESS).build().into());
                ((path.clone(), method), names(operation))
            })
        });
        Self(operations.collect())
    }

    /// Why a query is refused, if one of its names is not known: what is left out
    /// by mistake would change more than was meant.
    fn refusal(&self, path: &str, method: &Method, uri: &Uri) -> Option<Response> {
        uri.query()?;
        let method = match *method {
            Method::HEAD => Method::GET,
            ref method => method.clone(),
        };
        let known = self.0.get(&(path.to_owned(), method))?;
        let mut came = pairs(uri).into_iter();
        let (name, _) = came.find(|(name, _)| !known.contains(name))?;
        let remedy = match known.is_empty() {
            true => "leave it out: nothing may follow the question mark here".to_owned(),
            false => did_you_mean(&name, known.iter().map(String::as_str)),
        };
        let message = format!("this field is not known; {remedy}");
        let status = StatusCode::BAD_REQUEST;
        Some(failure_of(status, "bad_address", message, Some(name)))
    }
}

/// Refuse a query with a name that is not known.
pub(super) async fn only_known(
    State(known): State<Arc<Known>>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    match known.refusal(path.as_str(), request.method(), request.uri()) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// The names that an operation takes in its query.
fn names(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let names = parameters.filter_map(|parameter| match parameter {
        RefOr::T(one) if one.parameter_in == ParameterIn::Query => Some(one.name.clone()),
        _ => None,
    });
    names.collect()
}

/// What follows the question mark, as it came.
fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    pairs.map(|Query(pairs)| pairs).unwrap_or_default()
}

/// How many are wanted: more than a number here can say are as many as there are.
pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    let text = String::deserialize(from)?;
    match text.parse() {
        Ok(count) => Ok(Some(count)),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Ok(Some(usize::MAX)),
        Err(error) => Err(D::Error::custom(error)),
    }
}

/// How many entries are wanted of a log, in a query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Limit {
    /// Entries that are wanted: 100 if it is not said, 1000 at most.
    #[param(value_type = usize, required = false, example = 10)]
    #[serde(default, deserialize_with = "count")]
    limit: Option<usize>,
}

impl Limit {
    /// Entries that are answered when no number is asked for.
    const USUAL: usize = 100;

    /// Entries that are answered at most.
    const MOST: usize = 1000;

    /// As many as are answered, at most.
    pub(super) fn most(&self) -> usize {
        self.limit.unwrap_or(Self::USUAL).min(Self::MOST)
    }
}

/// Which pool is meant, in a query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InPool {
    /// The pool that is meant.
    #[param(value_type = String, required = false)]
    pub(super) pool: Option<String>,
}

/// Refuse to show what is of a pool that is not there, or of a server that is not
/// in the pool, or else in any.
pub(super) fn must_be_there(
    snapshot: &Snapshot,
    pool: Option<&str>,
    server: Option<&str>,
) -> Result<(), Refusal> {
    let mut pools = snapshot.pools.iter();
    let is_there = pools.any(|one| {
        let has = |id: &str| one.endpoints().any(|endpoint| endpoint.id.as_str() == id);
        pool.is_none_or(|name| name == one.name.as_str()) && server.is_none_or(has)
    });
    let message = match (pool, server) {
        (None, None) => return Ok(()),
        _ if is_there => return Ok(()),
        (Some(pool), None) => format!("there is no pool {pool}"),
        (Some(pool), Some(server)) => format!("pool {pool} has no server {server}"),
        (None, Some(server)) => format!("there is no server {server}"),
    };
    Err(Refusal::NotFound(message))
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
            .map_err(|error| bad_query(&parts.uri, &error))
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

const BAD_ADDRESS: &str =
    "`bad_address`: the path or what follows the question mark does not read, or is not known";

fn bad_address(message: String) -> Response {
    failure(StatusCode::BAD_REQUEST, "bad_address", message)
}

fn bad_query(uri: &Uri, rejection: &QueryRejection) -> Response {
    // Its own message says once more that it is about a query.
    let reason = rejection.source();
    let reason = reason.map_or_else(|| rejection.body_text(), ToString::to_string);
    let Some((name, reason)) = reason.split_once(": ") else {
        return bad_address(Medium::Json.explain(&reason));
    };
    let came = pairs(uri).into_iter().find(|(key, _)| key == name);
    let message = in_words(&came.unwrap_or_default().1, reason);
    let status = StatusCode::BAD_REQUEST;
    failure_of(status, "bad_address", message, Some(name.to_owned()))
}

/// What is wrong with a text that is to be a number, and whatever else.
fn in_words(came: &str, reason: &str) -> String {
    let write = |what: &str| format!("{came:?} does not fit here; write {what}");
    match reason {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            write("a whole number")
        }
        "number too large to fit in target type" => write("a smaller number"),
        _ => Medium::Json.explain(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_refused_with_what_came_and_what_to_write() {
        let told = |text: &str| in_words(text, &text.parse::<u16>().unwrap_err().to_string());
        assert_eq!(told("x"), "\"x\" does not fit here; write a whole number");
        assert_eq!(told(""), "\"\" does not fit here; write a whole number");
        assert_eq!(
            told("70000"),
            "\"70000\" does not fit here; write a smaller number"
        );
    }
}
