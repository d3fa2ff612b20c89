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
use crate::access::{NewToken, Role, Who};
use crate::change::Refusal;
use crate::control::Control;
use crate::store::{Removal, TokenRecord};
use crate::timestamp::Timestamp;

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
    /// What it is for; the audit log calls whoever shows it so.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._-]+$",
        example = "prometheus"
    )]
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
///
/// The first one has the role `deploy`: whoever has it makes the others.
#[utoipa::path(
    post, path = "/api/tokens", operation_id = "createToken", tag = "tokens",
    request_body = Wanted,
    responses(
        (status = CREATED, description = "The token, this once", body = Success<Made>),
        (status = CONFLICT, description = "There is no token of the role `deploy` yet", body = Failure),
        Body<Wanted>, Unkept,
    )
)]
async fn create(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Refusal> {
    let new = NewToken {
        name: wanted.name,
        role: wanted.role,
        expires_in: wanted.expires_in.map(Duration::from_secs),
    };
    let making = tokio::spawn(async move { control.create_token(new, &who).await });
    let (record, token) = making.await.unwrap_or(Err(Refusal::Stopping))?;
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
///
/// The last one of the role `deploy` stays until there is another.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", operation_id = "revokeToken", tag = "tokens",
    params(("id" = String, Path, description = "The token's id")),
    responses(
        (status = OK, description = "It counts no more", body = Success<Revoked>),
        (status = NOT_FOUND, description = "There is none", body = Failure),
        (status = CONFLICT, description = "It is the last one of the role `deploy`", body = Failure),
        Named, Unkept,
    )
)]
async fn revoke(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Named(id): Named,
) -> Result<Response, Refusal> {
    let wanted = id.clone();
    let removing = tokio::spawn(async move { control.revoke_token(&wanted, &who).await });
    match removing.await.unwrap_or(Err(Refusal::Stopping))? {
        Removal::Done => Ok(success(Revoked { id, revoked: true }).into_response()),
        Removal::NotThere => Err(Refusal::NotFound(format!("there is no token {id}"))),
        Removal::Spared => Err(Refusal::Conflict(
            "it is the last token of the role deploy, without which nobody could make or revoke \
             one; make another first, or revoke it in the data folder of the stopped gateway \
             (gatewright token revoke --data)"
                .to_owned(),
        )),
    }
}
