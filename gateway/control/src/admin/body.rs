//! A request's body as what it must be, or an answer that says what is wrong
//! and with which field.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::de::DeserializeOwned;
use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response as Described};

use super::envelope::{failure, failure_of};
use super::openapi::refusals;

/// The most that a body may hold, in bytes: a pool of a thousand servers
/// written out takes a third of it.
const MOST: usize = 256 << 10;

/// A body that was read from JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        // A web page of a stranger can send text without being asked, not JSON.
        if !is_json(request.headers()) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let message = "send the body as JSON, with content-type: application/json";
            return Err(failure(status, "not_json", message.to_owned()));
        }
        let bytes = to_bytes(request.into_body(), MOST).await.map_err(|_| {
            let message = format!("the body is broken off, or larger than {MOST} bytes");
            failure(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
        })?;
        read(&bytes).map(Self).map_err(|refusal| *refusal)
    }
}

/// What is wrong with bodies that cannot be read.
impl<T> IntoResponses for Body<T> {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        refusals(&[
            (StatusCode::BAD_REQUEST, "`bad_json`: the body is no JSON"),
            (
                StatusCode::PAYLOAD_TOO_LARGE,
                "`body_too_large`: the body is broken off, or larger than 256 KiB",
            ),
            (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "`not_json`: the content type is not `application/json`",
            ),
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                "`invalid`: a value is wrong, of the field that is named",
            ),
        ])
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Box<Response>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader);
    let value = read.map_err(|error| {
        let field = field(&error);
        Box::new(refusal(error.inner(), field))
    })?;
    let end = reader.end();
    end.map_err(|error| Box::new(refusal(&error, None)))?;
    Ok(value)
}

fn refusal(error: &serde_json::Error, field: Option<String>) -> Response {
    if error.is_data() {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return failure_of(status, "invalid", in_words(error), field);
    }
    let message = format!("the body is no JSON: {error}");
    failure(StatusCode::BAD_REQUEST, "bad_json", message)
}

/// What numbers are called in code, and what people are told to write.
const NUMBERS: [(&str, &str); 4] = [
    ("expected u8", "expected a whole number from 0 to 255"),
    ("expected u16", "expected a whole number from 0 to 65535"),
    (
        "expected u32",
        "expected a whole number from 0 to 4294967295",
    ),
    ("expected f64", "expected a number"),
];

/// What is wrong with a value, for whoever has a form before them and not the
/// JSON: without its place in the text and without names of types.
fn in_words(error: &serde_json::Error) -> String {
    let mut message = error.to_string();
    if let Some(place) = message.rfind(" at line ") {
        message.truncate(place);
    }
    let number = NUMBERS.iter().find(|(name, _)| message.ends_with(name));
    match number {
        Some((name, words)) => message.replace(name, words),
        None => message,
    }
}

/// The field that is to blame: where reading stopped, or the one that is
/// missing there.
fn field(error: &serde_path_to_error::Error<serde_json::Error>) -> Option<String> {
    let message = error.inner().to_string();
    let missing = message.strip_prefix("missing field `");
    let missing = missing.and_then(|rest| Some(rest.split_once('`')?.0.to_owned()));
    let path = error.path().to_string();
    match (path.as_str(), missing) {
        (".", missing) => missing,
        (path, Some(missing)) => Some(format!("{path}.{missing}")),
        (path, None) => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_range_is_told_in_words() {
        let told = |text: &str| in_words(&serde_json::from_str::<u16>(text).unwrap_err());
        let range = "expected a whole number from 0 to 65535";
        assert_eq!(
            told("70000"),
            format!("invalid value: integer `70000`, {range}")
        );
        assert_eq!(
            told("\"x\""),
            format!("invalid type: string \"x\", {range}")
        );
    }
}
