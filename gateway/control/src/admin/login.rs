//! Whether who asks may have what is asked for.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::envelope::failure;
use crate::access::{Denied, Role, Who};
use crate::control::Control;

/// Looking takes `read`, changing takes `operate`.
pub(super) async fn operators(
    State(control): State<Arc<Control>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let needed = match *request.method() {
        Method::GET | Method::HEAD => Role::Read,
        _ => Role::Operate,
    };
    admit(&control, peer, needed, request, next).await
}

/// All of it takes `deploy`.
pub(super) async fn deployers(
    State(control): State<Arc<Control>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    admit(&control, peer, Role::Deploy, request, next).await
}

async fn admit(
    control: &Control,
    peer: SocketAddr,
    needed: Role,
    mut request: Request,
    next: Next,
) -> Response {
    let shown = token(request.headers());
    match control.access.identify(shown, peer.ip()) {
        Ok(who) if who.role < needed => forbidden(&who, needed),
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(denied) => {
            tracing::warn!(peer = %peer.ip(), path = request.uri().path(), ?denied, "turned away");
            refusal(denied)
        }
    }
}

/// What follows `Authorization: Bearer`.
fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn forbidden(who: &Who, needed: Role) -> Response {
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
