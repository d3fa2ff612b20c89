//! What pages of other origins are told, where the operator lets them ask: that
//! their browser may show them the answers (CORS).

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What such pages may do.
const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";

/// What they may send beside what every page may.
const REQUEST_HEADERS: &str = "authorization, content-type, if-match, last-event-id";

/// What they may read beside what every page may.
const RESPONSE_HEADERS: &str = "etag, retry-after, www-authenticate";

/// For how long browsers need not ask again, in seconds.
const MAX_AGE: &str = "600";

/// Whether a browser asks on its own account what a page may ask.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that.
pub(super) fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

/// Let a page of this origin have an answer.
pub(super) fn allow(origin: HeaderValue, answer: &mut HeaderMap) {
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let readable = HeaderValue::from_static(RESPONSE_HEADERS);
    answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, readable);
    answer.append(header::VARY, HeaderValue::from_static("origin"));
}
