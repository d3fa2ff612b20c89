//! `/api/upgrade`: the program as it is on the disk now takes over from the one
//! that runs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, http};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Failure, Success, success};
use crate::access::Who;
use crate::change::Refusal;
use crate::control::Control;
use crate::store::Entry;
use crate::timestamp::Timestamp;

/// The gateway that serves now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upgraded)]
struct Answer {
    /// Its process id.
    process: u32,
    /// The version of its program.
    #[schema(example = "0.1.0")]
    version: String,
}

/// Start the program anew and hand everything over to it.
///
/// It is answered once the new gateway serves; this one then finishes what it has
/// under way. If the new one does not come to serve, this one goes on as if nothing
/// had been.
#[utoipa::path(
    post, path = "/api/upgrade", operation_id = "upgrade", tag = "upgrade",
    responses(
        (status = OK, description = "Who serves now", body = Success<Answer>),
        (status = CONFLICT, description = "`not_upgraded`: why the new gateway does not serve; \
         `conflict`: one is under way, or this gateway has none", body = Failure),
        (status = SERVICE_UNAVAILABLE, description = "`stopping`: the gateway is ending; \
         `upgrading`: another one is taking over", body = Failure),
        (status = INSUFFICIENT_STORAGE, description = "`not_kept`: the audit log cannot be written",
         body = Failure),
    )
)]
pub(super) async fn upgrade(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
) -> Result<Response, Refusal> {
    let entry = Entry {
        at: Timestamp::now(),
        who: who.name,
        from: Some(who.from.to_string()),
        action: "gateway.upgrade".to_owned(),
        target: String::new(),
        generation: None,
    };
    control.store.note(entry).await?;
    // It goes on whether or not anybody waits for the answer.
    let upgrading = tokio::spawn(async move { control.upgrade().await });
    let upgraded = upgrading.await.map_err(|_| Refusal::Stopping)??;
    let answer = success(Answer {
        process: upgraded.process,
        version: upgraded.version,
    });
    Ok((http::StatusCode::OK, answer).into_response())
}
