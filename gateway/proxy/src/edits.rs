//! What plugins want changed, applied: to the request before it is sent on, to
//! the response before the client sees it.

use std::mem;

use bytes::Bytes;
use gatewright_host::{Edit, Edits};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::facts::Facts;

/// Apply the edits that a decision has made: those of the request at once,
/// those of the response when there is one.
#[inline]
pub(crate) fn settle(facts: &mut Facts) {
    if !facts.effects.edits.is_empty() {
        apply(facts);
    }
}

#[inline(never)]
fn apply(facts: &mut Facts) {
    for edit in mem::take(&mut facts.effects.edits) {
        match edit {
            Edit::Path(path) => {
                if let Err(error) = facts.set_path(&path) {
                    tracing::warn!(%path, %error, "a plugin's path is not used");
                }
            }
            Edit::Query(query) => facts.set_query(query),
            Edit::Authority(authority) => facts.set_authority(authority),
            Edit::SetRequestHeader { name, value } => {
                if let Some((name, value)) = parse(&name, value) {
                    facts.set_header(name, value);
                }
            }
            Edit::AppendRequestHeader { name, value } => {
                if let Some((name, value)) = parse(&name, value) {
                    facts.append_header(name, value);
                }
            }
            Edit::RemoveRequestHeader(name) => {
                if let Ok(name) = HeaderName::try_from(&*name) {
                    facts.remove_header(&name);
                }
            }
            later => facts.response_edits.push(later),
        }
    }
}

/// Apply these edits of the response's head, after which there are none; returns the
/// body that a plugin gave. It is given none (and its type is not told) unless the
/// answer is a plugin's.
pub(crate) fn finish(
    edits: &mut Edits,
    headers: &mut HeaderMap,
    is_plugins_answer: bool,
) -> Option<Bytes> {
    let mut answer = None;
    for edit in edits.drain(..) {
        match edit {
            Edit::SetResponseHeader { name, value } => set(headers, &name, value),
            Edit::AppendResponseHeader { name, value } => {
                if let Some((name, value)) = parse(&name, value) {
                    headers.append(name, value);
                }
            }
            Edit::RemoveResponseHeader(name) => {
                headers.remove(&*name);
            }
            Edit::SetCookie(cookie) => {
                let cookie = cookie.read(|text| HeaderValue::try_from(text).ok());
                if let Some(cookie) = cookie {
                    headers.append(header::SET_COOKIE, cookie);
                }
            }
            Edit::Body { content_type, body } if is_plugins_answer => {
                if let Ok(value) = HeaderValue::try_from(content_type) {
                    headers.insert(header::CONTENT_TYPE, value);
                }
                answer = Some(Bytes::from(body));
            }
            Edit::Body { .. }
            | Edit::Path(_)
            | Edit::Query(_)
            | Edit::Authority(_)
            | Edit::SetRequestHeader { .. }
            | Edit::AppendRequestHeader { .. }
            | Edit::RemoveRequestHeader(_) => {}
        }
    }
    answer
}

fn set(headers: &mut HeaderMap, name: &str, value: String) {
    if let Some((name, value)) = parse(name, value) {
        headers.insert(name, value);
    }
}

/// A header as a plugin gave it, unless it cannot be one.
fn parse(name: &str, value: String) -> Option<(HeaderName, HeaderValue)> {
    let parsed = HeaderName::try_from(name).ok();
    let value = HeaderValue::try_from(value).ok();
    if parsed.is_none() || value.is_none() {
        tracing::warn!(header = name, "a plugin's header is malformed and left out");
    }
    parsed.zip(value)
}
