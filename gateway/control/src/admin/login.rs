//! Whether who asks may have what is asked for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use utoipa::openapi::Header;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::OpenApiRouter;

use super::asked::{Known, only_known};
use super::envelope::failure;
use super::openapi::{TOKEN, operations, refused};
use super::places::{Place, Standing};
use super::serving::Peer;
use crate::access::{Denied, Role, Who};
use crate::control::Control;

/// Bytes of a stranger's path that are logged.
const LOGGED: usize = 100;

/// The role that a method takes.
pub(super) type Needed = fn(&Method) -> Role;

/// Looking takes `read`, changing takes `operate`.
pub(super) fn operators(method: &Method) -> Role {
    match *method {
        Method::GET | Method::HEAD => Role::Read,
        _ => Role::Operate,
    }
}

/// Looking takes `read`, changing takes `deploy`.
pub(super) fn plugin_deployers(method: &Method) -> Role {
    match *method {
        Method::GET | Method::HEAD => Role::Read,
        _ => Role::Deploy,
    }
}

/// All of it takes `deploy`.
pub(super) fn deployers(_: &Method) -> Role {
    Role::Deploy
}

/// Routes that let in whose token has the role that is needed, and say so in
/// the document. They take no query that is not in it.
pub(super) fn only(
    needed: Needed,
    control: &Arc<Control>,
    mut routes: OpenApiRouter<Arc<Control>>,
) -> OpenApiRouter<Arc<Control>> {
    for (method, operation) in operations(routes.get_openapi_mut()) {
        describe(operation, needed(&method));
    }
    let known = Arc::new(Known::of(routes.get_openapi_mut()));
    let state = (Arc::clone(control), needed);
    routes
        .route_layer(middleware::from_fn_with_state(known, only_known))
        .route_layer(middleware::from_fn_with_state(state, admit))
}

/// Say who may ask, and what others are told.
fn describe(operation: &mut Operation, needed: Role) {
    let role = format!("Takes the role `{needed}`.");
    operation.description = Some(match operation.description.take() {
        Some(text) if !text.is_empty() => format!("{text}\n\n{role}"),
        _ => role,
    });
    let required = SecurityRequirement::new(TOKEN, [needed.name()]);
    operation.security = Some(vec![required]);
    let unauthorized = refused("`unauthorized`: a token is needed, or the one sent is not known")
        .header("WWW-Authenticate", Header::default());
    let too_many = refused("`too_many_attempts`: ten wrong tokens came within a minute")
        .header("Retry-After", Header::default());
    for (status, answer) in [("401", unauthorized), ("429", too_many)] {
        let answers = &mut operation.responses.responses;
        answers.insert(status.to_owned(), answer.build().into());
    }
}

async fn admit(
    State((control, needed)): State<(Arc<Control>, Needed)>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let needed = needed(request.method());
    let shown = token(request.headers());
    match control.access.identify(shown, peer.ip()) {
        Ok(who) if who.role < needed => forbidden(&who, needed),
        Ok(who) => {
            if let Some(place) = request.extensions().get::<Arc<Place>>() {
                place.reaches(Standing::Known);
            }
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(denied) => {
            tell(&control, peer.ip(), request.uri().path(), denied);
            refusal(denied)
        }
    }
}

/// Log that somebody was turned away, unless that was just done: who writes no
/// more than that to the disk fills none.
fn tell(control: &Control, peer: IpAddr, path: &str, denied: Denied) {
    if let Some(untold) = control.access.notices.due(peer, Instant::now()) {
        let path = &path[..path.floor_char_boundary(LOGGED)];
        tracing::warn!(%peer, path, ?denied, untold, "turned away");
    }
}

/// What follows `Authorization: Bearer`.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// That who asks may not, for want of a role.
pub(super) fn forbidden(who: &Who, needed: Role) -> Response {
    let message = format!("this takes the role {needed}; your token has {}", who.role);
    failure(StatusCode::FORBIDDEN, "forbidden", message)
}

fn refusal(denied: Denied) -> Response {
    let (status, code, message) = match denied {
        Denied::Missing => (
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "this takes a token: send it as `Authorization: Bearer TOKEN`",
        ),
        Denied::Wrong => (
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "this token is not known, or has expired",
        ),
        Denied::TooMany(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            "too many wrong tokens came from your address; try again later",
        ),
    };
    let mut response = failure(status, code, message.to_owned());
    let headers = response.headers_mut();
    match denied {
        Denied::TooMany(pause) => {
            let seconds = pause.as_secs() + 1;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        _ => {
            let scheme = HeaderValue::from_static("Bearer realm=\"gatewright\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
    }
    response
}
