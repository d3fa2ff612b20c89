//! Asking a server of another pool whether a request may go on, as the protocol
//! between proxies and authentication servers usually is: a GET with the
//! request's head; success lets it pass, and anything else is the answer that
//! the client gets.

use std::rc::Rc;

use gatewright_host::ExchangeView;
use gatewright_model::config::ForwardAuth;
use gatewright_wire::target;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response};

use crate::body::Content;
use crate::connection::Client;
use crate::facts::{Held, Refusal};
use crate::forward::forward;
use crate::request_body::RequestBody;
use crate::respond::Denial;
use crate::upstream::discard_aside;

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
    let mut asking = question(held, &auth.path)?;
    let body = RequestBody::none();
    let mut answer = Response::new(Content::empty());
    forward(client, &mut asking, pool, None, body, &mut answer).await?;
    let names = auth.headers.iter();
    let names = names.filter_map(|name| HeaderName::try_from(name.as_str()).ok());
    for name in names.clone() {
        held.remove_header(&name);
    }
    if !answer.status().is_success() {
        return Ok(Some(answer));
    }
    let (said, content) = answer.into_parts();
    discard_aside(&client.worker, content);
    for name in names {
        for value in said.headers.get_all(&name) {
            held.headers.append(&name, value.clone());
            held.vouch(&name);
            held.is_known = true;
        }
    }
    Ok(None)
}

/// The request as the authentication server gets it.
fn question(held: &Held, path: &str) -> Result<Held, Denial> {
    let mut asking = held.duplicate();
    let target = target_told(held.path(), held.query()).ok_or(Refusal::Target)?;
    asking.set_header(TARGET, target);
    let method = HeaderValue::try_from(held.method()).map_err(|_| Refusal::Target)?;
    asking.set_header(METHOD, method);
    for own in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::TRAILER,
        // Whether the client's copy is current is no matter of permission.
        header::IF_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::IF_UNMODIFIED_SINCE,
        header::RANGE,
    ] {
        asking.headers.remove(own);
    }
    asking.method = Method::GET;
    asking.upgrade = None;
    asking.set_query(None);
    // It was checked with the configuration.
    let _ = asking.set_path(path);
    Ok(asking)
}

/// The target as the server gets it, which is what has to be judged: not a byte
/// of it is lost, whatever may stand in a header. Without it there is nothing to
/// ask about.
fn target_told(path: &str, query: Option<&str>) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(target(path, query)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_target_is_made_of_it_is_told() {
        let told = |path, query| target_told(path, query).unwrap();
        assert_eq!(told("/a", Some("b=c")), "/a?b=c");
        assert_eq!(told("/a b", Some("c\u{7f}\r\n")), "/a%20b?c%7F%0D%0A");
        assert_eq!(told("/\u{fc}", None).as_bytes(), "/\u{fc}".as_bytes());
    }
}
