//! What a client is answered from a kept answer: all of it, a part, its head, or that
//! what the client has is still right (RFC 9110 §13, §14).

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use super::freshness::date;
use super::stored::Stored;
use crate::body::Content;

/// What describes a content that does not come (RFC 9110 §15.4.5).
const ABOUT_CONTENT: [HeaderName; 10] = [
    header::ACCEPT_RANGES,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::TRAILER,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
];

/// The answer to a GET or HEAD with these headers.
pub(super) fn reply(
    stored: &Stored,
    method: &Method,
    request: &HeaderMap,
    now: Instant,
) -> Response<Content> {
    let mut response = respond(stored, method, request);
    let age = stored.freshness.age(now).as_secs();
    response.headers_mut().insert(header::AGE, age.into());
    response
}

fn respond(stored: &Stored, method: &Method, request: &HeaderMap) -> Response<Content> {
    let whole = &stored.body;
    let mut response = Response::new(Content::Whole(whole.clone()));
    *response.status_mut() = stored.status;
    if stored.status != StatusCode::OK {
        *response.headers_mut() = stored.headers.clone();
        return headless(method, response);
    }
    if is_known(request, &stored.headers) {
        return not_modified(stored.headers.clone());
    }
    *response.headers_mut() = stored.headers.clone();
    let asked = request
        .get(header::RANGE)
        .filter(|_| method == Method::GET && is_range_meant(request, &stored.headers));
    match asked.map(|asked| range(asked, whole.len() as u64)) {
        Some(Asked::Part(part)) => {
            let place = format!("bytes {}-{}/{}", part.start, part.end - 1, whole.len());
            let body = whole.slice(part.start as usize..part.end as usize);
            told(&mut response, StatusCode::PARTIAL_CONTENT, place);
            response.map(|_| Content::Whole(body))
        }
        Some(Asked::Beyond) => {
            let place = format!("bytes */{}", whole.len());
            told(&mut response, StatusCode::RANGE_NOT_SATISFIABLE, place);
            response.map(|_| Content::empty())
        }
        Some(Asked::Whole) | None => headless(method, response),
    }
}

/// Say which part of a body comes.
fn told(response: &mut Response<Content>, status: StatusCode, place: String) {
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    if let Ok(place) = HeaderValue::try_from(place) {
        headers.insert(header::CONTENT_RANGE, place);
    }
}

/// What comes of a response whose method wants no body.
fn headless(method: &Method, mut response: Response<Content>) -> Response<Content> {
    if method != Method::HEAD {
        return response;
    }
    if let Content::Whole(body) = response.body()
        && response.status() != StatusCode::NO_CONTENT
    {
        let length = body.len().into();
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
    }
    response.map(|_| Content::empty())
}

/// That what the client has is still right, in the place of an answer with these
/// headers: whatever else that would have told the client it is told now.
pub(super) fn not_modified(mut headers: HeaderMap) -> Response<Content> {
    for name in ABOUT_CONTENT {
        headers.remove(name);
    }
    let mut response = Response::new(Content::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = headers;
    response
}

/// Whether a client has what an answer with these headers would bring it
/// (RFC 9110 §13.1.2, §13.1.3).
pub(super) fn is_known(request: &HeaderMap, headers: &HeaderMap) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        let tag = headers.get(header::ETAG).map(|tag| opaque(tag.as_bytes()));
        return request.get_all(header::IF_NONE_MATCH).iter().any(|list| {
            let list = list.as_bytes().trim_ascii();
            list == b"*" || tag.is_some_and(|tag| tags(list).any(|known| opaque(known) == tag))
        });
    }
    let since = date(request, &header::IF_MODIFIED_SINCE);
    let modified = date(headers, &header::LAST_MODIFIED);
    since
        .zip(modified)
        .is_some_and(|(since, modified)| modified <= since)
}

/// The entity tags of a list. A comma may be a part of one.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !b" \t,".contains(byte))?;
        let tag = &rest[start..];
        let opens = tag.iter().position(|byte| *byte == b'"')?;
        let closes = tag[opens + 1..].iter().position(|byte| *byte == b'"')?;
        let (tag, after) = tag.split_at(opens + closes + 2);
        rest = after;
        Some(tag)
    })
}

/// A tag without the sign that it is weak.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Whether a part is still a part of what the client has others of
/// (RFC 9110 §13.1.5).
fn is_range_meant(request: &HeaderMap, headers: &HeaderMap) -> bool {
    let Some(validator) = request.get(header::IF_RANGE) else {
        return true;
    };
    let is_tag = validator.as_bytes().ends_with(b"\"");
    match is_tag {
        true => headers
            .get(header::ETAG)
            .is_some_and(|tag| tag == validator && !tag.as_bytes().starts_with(b"W/")),
        false => headers.get(header::LAST_MODIFIED) == Some(validator),
    }
}

/// What a client wants of a body.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Part(Range<u64>),
    /// None of what there is.
    Beyond,
    /// All, since it asks for what is not understood, or for several parts.
    Whole,
}

/// What a `Range` asks for of so many bytes (RFC 9110 §14.1.2).
fn range(value: &HeaderValue, length: u64) -> Asked {
    let text = value.to_str().ok();
    let text = text.and_then(|text| text.trim().split_once('='));
    let Some((unit, spec)) = text else {
        return Asked::Whole;
    };
    let parts = spec.trim().split_once('-');
    let Some((first, last)) = parts.filter(|_| unit.eq_ignore_ascii_case("bytes")) else {
        return Asked::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // One that is too large is beyond every end.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let part = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.is_empty() => first..length,
        (None, Some(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return Asked::Whole,
    };
    match part.is_empty() {
        true => Asked::Beyond,
        false => Asked::Part(part),
    }
}

/// Bytes of their own, that hold on to no larger buffer.
pub(super) fn own(bytes: &Bytes) -> Bytes {
    Bytes::from(bytes.as_ref().to_vec().into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str, length: u64) -> Asked {
        range(&HeaderValue::from_str(text).unwrap(), length)
    }

    #[test]
    fn one_part_is_cut_out_of_what_there_is() {
        for (text, part) in [
            ("bytes=0-0", 0..1),
            ("Bytes=2-4", 2..5),
            ("bytes=7-", 7..10),
            ("bytes=-3", 7..10),
            ("bytes=5-99999999999999999999999", 5..10),
            ("bytes=-99", 0..10),
        ] {
            assert_eq!(asked(text, 10), Asked::Part(part), "{text}");
        }
        for text in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert_eq!(asked(text, 10), Asked::Beyond, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_and_several_parts_are_the_whole() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=3-1",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=a-b",
        ] {
            assert_eq!(asked(text, 10), Asked::Whole, "{text}");
        }
    }

    #[test]
    fn a_tag_is_known_in_any_list_weak_or_strong_and_before_any_date() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, HeaderValue::from_static("\"a,b\""));
        let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        headers.insert(header::LAST_MODIFIED, date.clone());
        let known = |value: &str| {
            let mut request = HeaderMap::new();
            request.insert(header::IF_MODIFIED_SINCE, date.clone());
            request.insert(header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
            is_known(&request, &headers)
        };
        for value in [
            "*",
            "\"a,b\"",
            "W/\"a,b\"",
            "\"x\", \"a,b\"",
            "W/\"x\",W/\"a,b\"",
        ] {
            assert!(known(value), "{value}");
        }
        for value in ["\"a\"", "a,b", "\"x\"", ""] {
            assert!(!known(value), "{value}");
        }
        let mut request = HeaderMap::new();
        request.insert(header::IF_MODIFIED_SINCE, date.clone());
        assert!(is_known(&request, &headers));
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_body(text in "bytes=[0-9]{0,21}-[0-9]{0,21}", length in 0u64..100) {
            if let Asked::Part(part) = asked(&text, length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }

        #[test]
        fn no_list_of_tags_makes_it_panic(list in "[ -~]{0,40}") {
            let _ = tags(list.as_bytes()).count();
        }
    }
}
