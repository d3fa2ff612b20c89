//! `/api/tokens`: who may operate the gateway.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::Named;
use super::body::Body;
use super::envelope::{Failure, Success, Unkept, success};
use crate::access::{NewToken, Role, Who, create_token, revoke_token};
use crate::change::Refusal;
use crate::control::Control;
use crate::store::{StoreError, TokenRecord};
use crate::timestamp::Timestamp;

/// The most characters of a token's name.
const MOST_NAME: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
}

/// A token as the API shows it: never itself, never its hash.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
struct Shown {
    /// What it is revoked by; it is not secret.
    id: String,
    /// What it is for.
    name: String,
    role: Role,
    created: Timestamp,
    /// None: when it is revoked.
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

/// List the tokens.
///
/// Never themselves: what they are for, and what they may.
#[utoipa::path(
    get, path = "/api/tokens", operation_id = "listTokens", tag = "tokens",
    responses((status = OK, description = "The tokens", body = Success<Vec<Shown>>))
)]
async fn list(State(control): State<Arc<Control>>) -> Response {
    let tokens = control.access.tokens().into_iter().map(Shown::from);
    success(tokens.collect::<Vec<_>>()).into_response()
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewToken)]
struct Wanted {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, example = "prometheus")]
    name: String,
    role: Role,
    /// In seconds; none: until it is revoked.
    expires_in: Option<u64>,
}

/// A token that was made: the only time that it is shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeToken)]
struct Made {
    #[serde(flatten)]
    shown: Shown,
    #[schema(example = "gw_…")]
    token: String,
}

/// Make a token.
#[utoipa::path(
    post, path = "/api/tokens", operation_id = "createToken", tag = "tokens",
    request_body = Wanted,
    responses(
        (status = CREATED, description = "The token, this once", body = Success<Made>),
        Body<Wanted>, Unkept,
    )
)]
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

/// That a token counts no more.
#[derive(Debug, Serialize, ToSchema)]
struct Revoked {
    id: String,
    revoked: bool,
}

/// Revoke a token.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", operation_id = "revokeToken", tag = "tokens",
    params(("id" = String, Path, description = "The token's id")),
    responses(
        (status = OK, description = "It counts no more", body = Success<Revoked>),
        (status = NOT_FOUND, description = "There is none", body = Failure),
        Named, Unkept,
    )
)]
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
        true => Ok(success(Revoked { id, revoked: true }).into_response()),
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
