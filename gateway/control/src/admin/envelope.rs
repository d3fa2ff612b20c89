//! The one form of every JSON answer: `{"success": true, "data": …}` or
//! `{"success": false, "error": {"code", "message"}}`.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A good answer.
#[derive(Debug, Serialize)]
pub(super) struct Success<T> {
    success: bool,
    data: T,
}

/// A bad one.
#[derive(Debug, Serialize)]
struct Failure {
    success: bool,
    error: Reason,
}

#[derive(Debug, Serialize)]
struct Reason {
    code: &'static str,
    message: String,
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
    let error = Reason { code, message };
    let failure = Failure {
        success: false,
        error,
    };
    (status, Json(failure)).into_response()
}

/// There is no such path.
pub(super) async fn not_found(uri: Uri) -> Response {
    let message = format!("there is no {}", uri.path());
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
