//! Compressing the bodies of answers for clients that accept it (RFC 9110 §8.4,
//! §12.5.3), in pools that are to.
//!
//! It comes last: what is kept of answers is kept as servers gave it, and compressed
//! for each client. `accept` says what a client takes, `encoder` writes it, and
//! [`Compressed`] is a body on its way through it.

mod accept;
mod body;
mod encoder;

use std::rc::Rc;

use gatewright_model::config::Compression;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::Body as _;

pub(crate) use body::{Compressed, Output};

use self::encoder::Encoder;
use crate::body::Content;
use crate::facts::Held;
use crate::under_way::{UnderWay, Work};
use crate::worker::Worker;

/// What says something of the body's bytes that would not be true any more.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");

/// Compress an answer to a request, if it may be and is worth it, and not too many are
/// being compressed on the worker, each of which takes an encoder's memory.
pub(crate) fn apply(
    worker: &Rc<Worker>,
    rules: &Compression,
    held: &Held,
    mut response: Response<Content>,
) -> Response<Content> {
    let (method, request) = (&held.method, &held.headers);
    if response.status() == StatusCode::NOT_MODIFIED {
        // It names the answer that the client would have got.
        if accept::best(rules, request).is_some() {
            weaken(response.headers_mut());
        }
        vary(response.headers_mut());
        return response;
    }
    if !is_for(rules, method, &response) {
        return response;
    }
    vary(response.headers_mut());
    let Some(coding) = accept::best(rules, request) else {
        return response;
    };
    let under_way = match method {
        &Method::HEAD => None,
        _ => match UnderWay::begin(worker, Work::Compressing) {
            None => {
                worker.counters().uncompressed.add(1);
                return response;
            }
            begun => begun,
        },
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, accept::name(coding));
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ACCEPT_RANGES);
    weaken(headers);
    let Some(under_way) = under_way else {
        return response;
    };
    let encoder = Encoder::new(coding, &rules.levels);
    response.map(|content| {
        let compressed = Compressed::new(content, encoder, under_way);
        Content::Compressed(Box::new(compressed))
    })
}

/// Whether an answer may be compressed and is worth it, whoever asks.
fn is_for(rules: &Compression, method: &Method, response: &Response<Content>) -> bool {
    let (status, headers) = (response.status(), response.headers());
    let has_body = !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::RANGE_NOT_SATISFIABLE
        )
        && !matches!(response.body(), Content::Switched(_));
    if !has_body || headers.contains_key(header::CONTENT_ENCODING) {
        return false;
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    rules.types.has(kind)
        && !is_stream(kind)
        && length(method, response).is_none_or(|length| length >= rules.min_size && length > 0)
        && !DIGESTS.iter().any(|name| headers.contains_key(name))
        && !is_not_to_be_transformed(headers)
}

/// Whether what comes is for the client at once, piece by piece, or framed by gRPC.
fn is_stream(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let grpc = essence.get(..16);
    essence.eq_ignore_ascii_case("text/event-stream")
        || grpc.is_some_and(|start| start.eq_ignore_ascii_case("application/grpc"))
}

/// How long the body is, where that is known.
fn length(method: &Method, response: &Response<Content>) -> Option<u64> {
    let said = response.headers().get(header::CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse().ok());
    match method == Method::HEAD {
        true => said,
        false => said.or(response.body().size_hint().exact()),
    }
}

/// Whether nobody between server and client may change it (RFC 9111 §5.2.2.6).
fn is_not_to_be_transformed(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::CACHE_CONTROL).iter();
    let mut words = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

/// Say that the answer depends on what the client accepts, if it is not said.
fn vary(headers: &mut HeaderMap) {
    let lists = headers.get_all(header::VARY).iter();
    let mut names = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    let is_said = names.any(|name| {
        let name = name.trim_ascii();
        name == b"*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_bytes())
    });
    if !is_said {
        headers.append(header::VARY, ACCEPT_ENCODING);
    }
}

/// Say no longer that the bytes are those of the server (RFC 9110 §8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let tag = headers.get(header::ETAG).map(HeaderValue::as_bytes);
    if let Some(tag) = tag.filter(|tag| !tag.starts_with(b"W/"))
        && let Ok(tag) = HeaderValue::from_bytes(&[b"W/", tag].concat())
    {
        headers.insert(header::ETAG, tag);
    }
}
