//! A head in the form in which nearly all servers write it: where its lines end is
//! looked for first, and then what they say goes at once to where it belongs. One of
//! any other form, be it allowed or not, is left to the parser that knows them all:
//! whatever is read here means the same to both.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use memchr::{memchr, memchr_iter};
use smallvec::SmallVec;

use super::framing::is_bodiless;
use super::survey::{Coding, Role, Said, parse_length};
use super::{HeadLimits, Start};
use crate::fields::{MAX_FIELDS, usual_name};

/// What it begins with.
const VERSION: &[u8] = b"HTTP/1.1 ";

const LINE_END: &[u8] = b"\r\n";

/// Where the lines of a head end; those of the common one fit inline.
pub(super) type Ends = SmallVec<[usize; 32]>;

/// Notes where the lines of a head end, but for the empty one: how many bytes they all
/// are. None if the head is of another form or not complete.
pub(super) fn find_ends(buffer: &[u8], limits: HeadLimits, ends: &mut Ends) -> Option<usize> {
    if !buffer.starts_with(VERSION) {
        return None;
    }
    let most_fields = limits.max_headers.min(MAX_FIELDS);
    let mut start = 0;
    for end in memchr_iter(b'\r', buffer) {
        if !buffer[end..].starts_with(LINE_END) {
            return None;
        }
        let next = end + LINE_END.len();
        if end == start {
            return (next <= limits.max_bytes).then_some(next);
        }
        // The first is no field.
        if ends.len() > most_fields {
            return None;
        }
        ends.push(end);
        start = next;
    }
    None
}

/// Reads the head whose lines end there, and puts its fields for the client into an
/// empty map. None if it is of another form; then there may be anything in the map.
pub(super) fn read(
    section: &Bytes,
    ends: &[usize],
    headers: &mut HeaderMap,
) -> Option<(Start, Said)> {
    let (first, ends) = ends.split_first()?;
    let status = status(&section[..*first])?;
    headers.reserve(ends.len());
    let mut fields = Fields {
        section,
        headers,
        said: Said::default(),
        length: None,
    };
    let mut start = first + LINE_END.len();
    for end in ends {
        fields.add(start, *end)?;
        start = end + LINE_END.len();
    }
    if let Some(length) = fields.length.take()
        && !is_bodiless(status)
    {
        fields.append(header::CONTENT_LENGTH, length)?;
    }
    let start = Start {
        bytes: section.len(),
        status,
        is_http_11: true,
    };
    Some((start, fields.said))
}

/// The status that a status line has, unless another protocol follows.
fn status(line: &[u8]) -> Option<StatusCode> {
    let (code, reason) = line.strip_prefix(VERSION)?.split_at_checked(3)?;
    let is_usual = matches!(reason, [] | [b' ', ..]) && is_text(reason);
    let status = StatusCode::from_bytes(code).ok()?;
    (is_usual && status != StatusCode::SWITCHING_PROTOCOLS).then_some(status)
}

/// What has been read of the fields.
struct Fields<'a> {
    section: &'a Bytes,
    /// Those for the client.
    headers: &'a mut HeaderMap,
    said: Said,
    /// Where the value of `Content-Length` is, which comes last.
    length: Option<Range<usize>>,
}

impl Fields<'_> {
    /// Adds the field of a line, if there is one space before its value and none
    /// behind it. What becomes a name or a value is found to be one on the way, and
    /// nothing else may have bytes that are not looked at.
    fn add(&mut self, start: usize, end: usize) -> Option<()> {
        let section = self.section;
        let line = &section[start..end];
        let (name, rest) = line.split_at(memchr(b':', line)?);
        let value = rest.strip_prefix(b": ")?;
        if *value.first()? <= b' ' || *value.last()? <= b' ' {
            return None;
        }
        let place = end - value.len()..end;
        if let Some(name) = usual_name(name) {
            return self.append(name, place);
        }
        match Role::of(name) {
            Role::ForClient => self.append(HeaderName::from_bytes(name).ok()?, place),
            Role::Length if self.length.is_none() => {
                self.said.length = Some(parse_length(value)?);
                self.length = Some(place);
                Some(())
            }
            Role::TransferEncoding if self.said.coding == Coding::Absent => {
                self.said.coding = Coding::Chunked;
                value.eq_ignore_ascii_case(b"chunked").then_some(())
            }
            Role::Connection => {
                match value {
                    b"keep-alive" | b"Keep-Alive" => self.said.options.keep_alive = true,
                    b"close" | b"Close" => self.said.options.close = true,
                    _ => return None,
                }
                Some(())
            }
            Role::HopByHop => is_text(value).then_some(()),
            Role::Length | Role::TransferEncoding | Role::Upgrade => None,
        }
    }

    fn append(&mut self, name: HeaderName, place: Range<usize>) -> Option<()> {
        let value = HeaderValue::from_maybe_shared(self.section.slice(place)).ok()?;
        self.headers.try_append(name, value).ok()?;
        Some(())
    }
}

/// Whether a text has no control character but tabs.
fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use http::Method;
    use proptest::prelude::*;

    use super::*;
    use crate::response::survey::Survey;
    use crate::response::tests::{near_heads, parse, parse_head, summary};
    use crate::response::{HeadError, HeadParser, ResponseHead, build};

    fn is_usual(head: &str) -> bool {
        let mut ends = Ends::new();
        let found = find_ends(head.as_bytes(), HeadLimits::DEFAULT, &mut ends);
        assert_eq!(found, head.find("\r\n\r\n").map(|end| end + 4));
        let section = found.map(|bytes| Bytes::copy_from_slice(&head.as_bytes()[..bytes]));
        section.is_some_and(|section| read(&section, &ends, &mut HeaderMap::new()).is_some())
    }

    /// What the parser that knows all forms makes of a text.
    fn known(text: &str) -> Result<Option<ResponseHead>, HeadError> {
        let mut survey = Survey::default();
        let parser = HeadParser::default();
        let Some(start) = parser.survey(text.as_bytes(), &mut survey)? else {
            return Ok(None);
        };
        let section = Bytes::copy_from_slice(&text.as_bytes()[..start.bytes]);
        let to = &Method::GET;
        build(&section, start, &survey, to.into(), HeaderMap::new()).map(Some)
    }

    #[test]
    fn heads_as_common_servers_write_them_are_of_the_usual_form() {
        for head in [
            "HTTP/1.1 200 OK\r\nServer: nginx/1.28.0\r\nDate: Tue, 01 Jul 2025 10:00:00 GMT\r\n\
             Content-Type: text/plain\r\nContent-Length: 128\r\nConnection: keep-alive\r\n\
             ETag: \"68-80\"\r\nAccept-Ranges: bytes\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\nx-powered-by: Express\r\nConnection: keep-alive\r\n\
             Keep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
            "HTTP/1.1 204 No Content\r\nX-Powered-By: Express\r\nx_trace: 1\r\n\r\n",
            "HTTP/1.1 304\r\n\r\n",
        ] {
            assert!(is_usual(head), "{head:?}");
        }
    }

    #[test]
    fn what_becomes_no_header_is_looked_at_too() {
        for rest in [
            "200 OK\r\nKeep-Alive: a\u{1}b",
            "200 OK\r\nKeep-Alive: a\u{7f}",
            "200 OK\r\nConnection: close\u{c}",
            "200 OK\r\nConnection: \u{c}close",
            "200 OK\r\nTransfer-Encoding: chunked\u{b}",
            "200 OK\r\nContent-Length: 5\u{c}",
            "200 OK\r\nContent-Length: 5,\u{c}5",
            "200 OK\r\nContent-Length: 5\r\nContent-Length: \u{c}5",
            "200 OK\r\nProxy-Connection: a\nb",
            "200 OK\r\nTE: a\0b",
            "200 OK\r\nUpgrade: a\0b",
            "200 O\u{1}K",
            "200 O\nK",
            "200\tOK",
            "2000",
            "20",
        ] {
            let head = format!("HTTP/1.1 {rest}\r\n\r\n");
            assert!(!is_usual(&head), "{head:?}");
            assert!(parse(&head).is_err(), "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn a_head_means_what_it_means_to_the_parser_that_knows_all_forms(text in near_heads()) {
            let mut whole = BytesMut::from(&*text);
            let read = parse_head(&mut whole, &Method::GET, HeadLimits::DEFAULT);
            prop_assert_eq!(summary(&read), summary(&known(&text)));
        }
    }
}
