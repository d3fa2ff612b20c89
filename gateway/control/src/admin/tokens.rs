//! `/api/tokens`: who may operate the gateway.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::asked::Named;
use super::body::Body;
use super::envelope::success;
use crate::access::{NewToken, Role, Who, create_token, revoke_token};
use crate::change::Refusal;
use crate::control::Control;
use crate::store::{StoreError, TokenRecord};
use crate::timestamp::Timestamp;

/// The most characters of a token's name.
const MOST_NAME: usize = 100;

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/api/tokens", get(list).post(create))
        .route("/api/tokens/{id}", delete(revoke))
}

/// A token as the API shows it: never itself, never its hash.
#[derive(Debug, Serialize)]
struct Shown {
    id: String,
    name: String,
    role: Role,
    created: Timestamp,
    expires: Option<Timestamp>,
}

impl From<TokenRecord> for Shown {
    fn from(record: TokenRecord) -> Self {
        Self {
            id: record.id,
            name: record.name,
            role: record.role,
            created: record.created,
            expires: record.expires,
        }
    }
}

async fn list(State(control): State<Arc<Control>>) -> Response {
    let tokens = control.access.tokens().into_iter().map(Shown::from);
    success(tokens.collect::<Vec<_>>()).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    name: String,
    role: Role,
    /// In seconds; none: until it is revoked.
    expires_in: Option<u64>,
}

/// A token that was made: the only time that it is shown.
#[derive(Debug, Serialize)]
struct Made {
    #[serde(flatten)]
    shown: Shown,
    token: String,
}

async fn create(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Refusal> {
    if wanted.name.is_empty() || wanted.name.chars().count() > MOST_NAME {
        let message = format!("write 1 to {MOST_NAME} characters");
        return Err(Refusal::field("name", message));
    }
    let new = NewToken {
        name: wanted.name,
        role: wanted.role,
        expires_in: wanted.expires_in.map(Duration::from_secs),
    };
    let (record, token) = in_store(&control, move |control| {
        let from = Some(who.from.to_string());
        create_token(&control.store, new, &who.name, from)
    })
    .await?;
    let made = Made {
        shown: record.into(),
        token,
    };
    Ok((StatusCode::CREATED, success(made)).into_response())
}

async fn revoke(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Named(id): Named,
) -> Result<Response, Refusal> {
    let wanted = id.clone();
    let was_there = in_store(&control, move |control| {
        let from = Some(who.from.to_string());
        revoke_token(&control.store, &wanted, &who.name, from)
    })
    .await?;
    match was_there {
        true => Ok(success(json!({ "id": id, "revoked": true })).into_response()),
        false => Err(Refusal::NotFound(format!("there is no token {id}"))),
    }
}

/// Change the tokens on a thread that may wait for the disk, then go by what
/// the store has. It is finished whether or not anybody waits for the answer.
async fn in_store<T: Send + 'static>(
    control: &Arc<Control>,
    work: impl FnOnce(&Control) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    let control = Arc::clone(control);
    let working = tokio::task::spawn_blocking(move || {
        let done = work(&control)?;
        control.access.reload(&control.store)?;
        Ok(done)
    });
    let done: Result<T, StoreError> = working.await.map_err(|_| Refusal::Stopping)?;
    Ok(done?)
}
