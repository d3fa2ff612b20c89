//! A request's body as what it must be, or an answer that says what is wrong
//! and with which field.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use gatewright_model::config::Medium;
use serde::de::DeserializeOwned;
use serde_json::Value;
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
    let value = match read {
        Err(error) if error.inner().is_syntax() => {
            // Where one of several words is expected, the reader takes whatever
            // else stands there for bad syntax.
            let json: Value = serde_json::from_slice(bytes).map_err(|error| no_json(&error))?;
            serde_path_to_error::deserialize(json)
        }
        read => read,
    };
    let value = value.map_err(|error| match error.inner().is_data() {
        true => refusal(&error),
        false => no_json(error.inner()),
    })?;
    reader.end().map_err(|error| no_json(&error))?;
    Ok(value)
}

fn no_json(error: &serde_json::Error) -> Box<Response> {
    let message = format!("the body is no JSON: {error}");
    Box::new(failure(StatusCode::BAD_REQUEST, "bad_json", message))
}

fn refusal(error: &serde_path_to_error::Error<serde_json::Error>) -> Box<Response> {
    let reason = Medium::Json.explain(&unplaced(error.inner()));
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Box::new(failure_of(status, "invalid", reason, field(error)))
}

/// What is wrong, without where: whoever has a form before them has no lines.
fn unplaced(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&place).unwrap_or(&message).to_owned()
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
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Wanted {
        port: u16,
        part: Option<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Part {
        share: u8,
    }

    fn blamed(text: &str) -> Option<String> {
        let json: Value = serde_json::from_str(text).unwrap();
        field(&serde_path_to_error::deserialize::<_, Wanted>(json).unwrap_err())
    }

    #[test]
    fn the_field_to_blame_is_named_wherever_it_is() {
        for (text, named) in [
            (r#"{"port": "x"}"#, Some("port")),
            (r#"{"port": 1, "prot": 1}"#, Some("prot")),
            ("{}", Some("port")),
            (r#"{"port": 1, "part": {"share": 300}}"#, Some("part.share")),
            (r#"{"port": 1, "part": {}}"#, Some("part.share")),
            (r#"{"port": 1, "part": {"shore": 1}}"#, Some("part.shore")),
            ("[]", None),
        ] {
            assert_eq!(blamed(text).as_deref(), named, "{text}");
        }
    }
}
