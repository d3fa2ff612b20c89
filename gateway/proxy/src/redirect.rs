//! Sending clients of a plain listener on to HTTPS.

use gatewright_host::ExchangeView;
use http::header::{self, HeaderMap};
use http::uri::Authority;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::body::Content;
use crate::connection::Client;
use crate::facts::{Facts, Refusal};
use crate::respond::Denial;

/// The port that HTTPS is understood to be on.
const HTTPS: u16 = 443;

/// The answer that sends a request on, where its listener does so. What has come
/// by HTTPS to a trusted proxy in front is not sent round in a circle.
#[inline]
pub(crate) fn answer(client: &Client, facts: &Facts) -> Option<Result<Response<Content>, Denial>> {
    send_on(client, facts, client.entrance().redirect?)
}

#[cold]
fn send_on(client: &Client, facts: &Facts, port: u16) -> Option<Result<Response<Content>, Denial>> {
    if client.is_trusted() && came_by_https(&facts.headers) {
        return None;
    }
    let Some(location) = location(facts, port) else {
        return Some(Err(Refusal::Host.into()));
    };
    let mut response = Response::new(Content::empty());
    *response.status_mut() = match facts.method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        // The others keep their method and body only with this one.
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    response.headers_mut().insert(header::LOCATION, location);
    Some(Ok(response))
}

/// The same host, path and query by HTTPS.
fn location(facts: &Facts, port: u16) -> Option<HeaderValue> {
    let authority = Authority::try_from(facts.authority()).ok()?;
    let mut location = format!("https://{}", authority.host());
    if port != HTTPS {
        location += &format!(":{port}");
    }
    location += match facts.path() {
        path if path.starts_with('/') => path,
        // `OPTIONS *` is about the server as a whole.
        _ => "/",
    };
    if let Some(query) = facts.query() {
        location.push('?');
        location += query;
    }
    HeaderValue::try_from(location).ok()
}

/// Whether the proxy next to the gateway was spoken to by HTTPS.
fn came_by_https(headers: &HeaderMap) -> bool {
    let last = headers.get_all("x-forwarded-proto").iter().next_back();
    let last = last.and_then(|value| value.to_str().ok()?.rsplit(',').next());
    last.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
}
