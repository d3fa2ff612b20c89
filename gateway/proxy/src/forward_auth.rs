//! Asking a server of another pool whether a request may go on, as the protocol
//! between proxies and authentication servers usually is: a GET with the
//! request's head; success lets it pass, and anything else is the answer that
//! the client gets.

use std::rc::Rc;

use bytes::Bytes;
use gatewright_host::ExchangeView;
use gatewright_model::config::ForwardAuth;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response};

use crate::body::Content;
use crate::connection::Client;
use crate::exchange::{answer_of_server, forward};
use crate::facts::Held;
use crate::request_body::RequestBody;
use crate::respond::Denial;

/// What the authentication server is told of the request.
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const TARGET: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// Ask; none lets the request pass, with the headers that the server has said of
/// it in the place of any that the client sent under their names.
///
/// No answer is no permission: what keeps the server from answering is what the
/// client is told.
pub(crate) async fn ask(
    client: &Rc<Client>,
    held: &mut Held,
    auth: &ForwardAuth,
) -> Result<Option<Response<Content>>, Denial> {
    let current = client.worker.current();
    let pool = current.pool_named(auth.pool.as_str());
    let pool = pool.ok_or(Denial::NoServer)?;
    let mut asking = question(held, &auth.path);
    let body = RequestBody::of_bytes(Bytes::new());
    let (_, answered) = forward(client, &mut asking, pool, None, body).await?;
    forget_claims(&mut held.headers, &auth.headers);
    if !answered.head.status.is_success() {
        return Ok(Some(answer_of_server(answered)));
    }
    for name in &auth.headers {
        let values = answered.head.headers.get_all(name.as_str());
        let Ok(name) = HeaderName::try_from(name.as_str()) else {
            continue;
        };
        for value in values {
            held.headers.append(&name, value.clone());
            held.vouch(&name);
        }
    }
    Ok(None)
}

/// Remove what the client itself says under these names, in any spelling: servers
/// that pass headers as environment variables cannot tell `X_User` from `X-User`.
fn forget_claims(headers: &mut HeaderMap, names: &[String]) {
    let hyphened = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let is_claim = |key: &HeaderName| {
        let key = key.as_str().bytes().map(hyphened);
        let mut names = names.iter();
        names.any(|name| name.bytes().map(hyphened).eq(key.clone()))
    };
    let claims: Vec<_> = headers
        .keys()
        .filter(|key| is_claim(key))
        .cloned()
        .collect();
    for name in claims {
        headers.remove(name);
    }
}

/// The request as the authentication server gets it.
fn question(held: &Held, path: &str) -> Held {
    let mut asking = held.duplicate();
    let mut target = held.path().to_owned();
    if let Some(query) = held.query() {
        target = format!("{target}?{query}");
    }
    let told = [(METHOD, held.method().to_owned()), (TARGET, target)];
    for (name, value) in told {
        // A path or a method has no byte that a header may not have.
        if let Ok(value) = HeaderValue::try_from(value) {
            asking.headers.insert(&name, value);
            asking.vouch(&name);
        }
    }
    for own in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::TRAILER,
    ] {
        asking.headers.remove(own);
    }
    asking.method = Method::GET;
    asking.upgrade = None;
    asking.set_query(None);
    // It was checked with the configuration.
    let _ = asking.set_path(path);
    asking
}
