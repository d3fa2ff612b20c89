//! What a request is for: the host that it names, exactly once, and the form of
//! its target.

use std::sync::Arc;

use http::header::HeaderValue;
use http::request::Parts;
use http::{Method, Uri, Version};

use super::Refusal;
use super::survey::Survey;
use crate::connection::Client;

/// The host that the client asked for, in lower case.
pub(super) fn authority(
    client: &Client,
    parts: &Parts,
    survey: Survey<'_>,
) -> Result<Arc<str>, Refusal> {
    if survey.has_more_hosts {
        return Err(Refusal::Host);
    }
    let host = survey.host;
    // HTTP/2 and absolute-form requests name it in the target, which wins
    // (RFC 9112 §3.2.2). HTTP/2 has no use for two names that differ (RFC 9113
    // §8.3.1).
    if let Some(authority) = parts.uri.authority() {
        let is_one = |host| parts.version < Version::HTTP_2 || is_same(host, &parts.uri);
        if authority.as_str().contains('@') || !host.is_none_or(is_one) {
            return Err(Refusal::Host);
        }
        let host = authority.as_str();
        return Ok(match client.known_host(host.as_bytes()) {
            Some(known) => known,
            None if is_host(host) => client.asks_for(host),
            None => host.to_ascii_lowercase().into(),
        });
    }
    let Some(host) = host else {
        // Only HTTP/1.0 may leave it out.
        return match parts.version {
            Version::HTTP_10 => Ok(Arc::default()),
            _ => Err(Refusal::Host),
        };
    };
    if let Some(known) = client.known_host(host.as_bytes()) {
        return Ok(known);
    }
    let host = std::str::from_utf8(host.as_bytes()).map_err(|_| Refusal::Host)?;
    match is_host(host) {
        true => Ok(client.asks_for(host)),
        false => Err(Refusal::Host),
    }
}

/// Whether nothing is in it that cannot be in a host and a port.
pub(crate) fn is_host(host: &str) -> bool {
    host.bytes().all(|byte| HOST_BYTES[usize::from(byte)])
}

/// Whether the target is of a form that has a path: `*` is the server itself,
/// of which only OPTIONS may ask, and an authority alone is for tunnels
/// (RFC 9112 §3.2).
pub(super) fn has_path(parts: &Parts) -> bool {
    let uri = &parts.uri;
    let is_authority_alone = uri.scheme().is_none() && uri.authority().is_some();
    !is_authority_alone && (uri.path() != "*" || parts.method == Method::OPTIONS)
}

/// Whether a `Host` is the authority of a target, where neither its case counts
/// nor a port that goes without saying.
fn is_same(host: &HeaderValue, target: &Uri) -> bool {
    let port = match target.scheme_str() {
        Some("https") => ":443",
        _ => ":80",
    };
    let bare = |name: &str| name.strip_suffix(port).unwrap_or(name).to_ascii_lowercase();
    let authority = target.authority().map(http::uri::Authority::as_str);
    host.to_str().ok().map(bare) == authority.map(bare)
}

/// What a host and port may consist of (RFC 3986 §3.2.2, without user names).
const HOST_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let marks = b"-._~!$&'()*+,;=%:[]";
    let mut at = 0;
    while at < allowed.len() {
        allowed[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    at = 0;
    while at < marks.len() {
        allowed[marks[at] as usize] = true;
        at += 1;
    }
    allowed
};
