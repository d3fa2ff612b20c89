//! The head of an upstream response: its status, the headers that are for the
//! client, how the body is delimited, and whether the connection can be used
//! again.
//!
//! Header values are slices of the read buffer, or of a copy of the head. What two
//! readers could understand differently is refused rather than repaired (RFC 9112 §6.3,
//! §11).

use std::mem::MaybeUninit;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use thiserror::Error;

use crate::fields::{EndScanner, MAX_FIELDS, has_strict_line_ends};
use crate::hop;

mod framing;
mod survey;
mod usual;

#[cfg(test)]
mod tests;

pub use framing::ResponseFraming;
use survey::{Said, Survey};
use usual::Ends;

/// The limits of a response head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// The most bytes, from the status line to the empty line.
    pub max_bytes: usize,
    /// The most header fields; above 128 it is 128.
    pub max_headers: usize,
}

impl HeadLimits {
    /// Above what common servers can send (8 to 60 KiB), and small enough that
    /// a thousand connections held at the limit stay within 64 MiB.
    pub const DEFAULT: Self = Self {
        max_bytes: 64 * 1024,
        max_headers: MAX_FIELDS,
    };
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The head of a response, final or interim (`status.is_informational()`).
#[derive(Debug)]
pub struct ResponseHead {
    /// The status; 101 only as an answer to the wish for it.
    pub status: StatusCode,
    /// The headers without those that are for this connection only. There is
    /// at most one `Content-Length`, and none on a response that cannot have one.
    pub headers: HeaderMap,
    /// How the body is delimited.
    pub framing: ResponseFraming,
    /// Whether the connection may carry another request after the body.
    pub reusable: bool,
}

/// What of a request its response is understood by.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The protocol that it asked to switch to.
    pub upgrade: Option<&'a str>,
}

impl<'a> From<&'a Method> for Asked<'a> {
    /// A request that asked for no other protocol.
    fn from(method: &'a Method) -> Self {
        Self {
            method,
            upgrade: None,
        }
    }
}

/// Why a response head is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadError {
    /// The head has more bytes than allowed, or no end within them.
    #[error("the response head is larger than {limit} bytes")]
    TooLarge {
        /// [`HeadLimits::max_bytes`].
        limit: usize,
    },
    /// The head has more fields than allowed.
    #[error("the response has more than {limit} headers")]
    TooManyHeaders {
        /// [`HeadLimits::max_headers`].
        limit: usize,
    },
    /// The bytes are not an HTTP/1.0 or HTTP/1.1 response head.
    #[error("the response head is malformed: {0}")]
    Malformed(httparse::Error),
    /// A line ends in LF without CR, or an empty line comes first.
    #[error("the response head has a line that does not end in CRLF")]
    LineEnd,
    /// The status is below 100.
    #[error("the response has no valid status")]
    Status,
    /// The server switched protocols unasked, or to another than it was asked to.
    #[error("the response switches to a protocol that was not asked for")]
    UnexpectedUpgrade,
    /// `Content-Length` is not a number, or not one that can be counted to.
    #[error("the response has a malformed Content-Length")]
    MalformedLength,
    /// Several lengths are given, and they differ.
    #[error("the response has conflicting Content-Length values")]
    ConflictingLengths,
    /// Both ways to delimit a body are used at once.
    #[error("the response has both Content-Length and Transfer-Encoding")]
    LengthAndTransferEncoding,
    /// `Transfer-Encoding` is other than a single `chunked`, or used in HTTP/1.0.
    #[error("the response has a Transfer-Encoding other than chunked")]
    UnsupportedTransferEncoding,
}

/// Reads response heads from a connection's buffer, one after the other.
///
/// Kept with the connection: it remembers how far an unfinished head has been
/// looked at, so that a server which sends byte by byte costs linear time.
#[derive(Debug, Default)]
pub struct HeadParser {
    limits: HeadLimits,
    scanner: EndScanner,
}

impl HeadParser {
    /// A parser with these limits, before the first byte of a head.
    #[must_use]
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            scanner: EndScanner::default(),
        }
    }

    /// The next head, the answer to `asked`, once it is complete; it is then
    /// taken off the buffer.
    ///
    /// `None` asks for more bytes to be appended to the same buffer.
    ///
    /// # Errors
    ///
    /// See [`HeadError`]; the connection is then of no further use.
    pub fn parse(
        &mut self,
        buffer: &mut BytesMut,
        asked: Asked<'_>,
    ) -> Result<Option<ResponseHead>, HeadError> {
        self.parse_with(buffer, asked, false, HeaderMap::new)
    }

    /// The same, where the headers are put into the empty `map`, which is asked for
    /// when there are some: one that has room for them need not be allocated. A head
    /// that `is_copied` has memory of its own: who keeps a value of it, as a cache or
    /// the table of an HTTP/2 connection does, keeps all the memory that it lies in.
    ///
    /// # Errors
    ///
    /// See [`HeadError`]; the connection is then of no further use.
    pub fn parse_with(
        &mut self,
        buffer: &mut BytesMut,
        asked: Asked<'_>,
        is_copied: bool,
        map: impl FnOnce() -> HeaderMap,
    ) -> Result<Option<ResponseHead>, HeadError> {
        if !self.scanner.may_be_complete(buffer) {
            return self.wait(buffer);
        }
        let mut ends = Ends::new();
        if let Some(bytes) = usual::find_ends(buffer, self.limits, &mut ends) {
            let section = self.take(buffer, bytes, is_copied);
            return self.read(&section, &ends, asked, map());
        }
        let mut survey = Survey::default();
        let Some(start) = self.survey(buffer, &mut survey)? else {
            return self.wait(buffer);
        };
        let section = self.take(buffer, start.bytes, is_copied);
        build(&section, start, &survey, asked, map()).map(Some)
    }

    /// Takes a whole head off the buffer.
    #[inline]
    fn take(&mut self, buffer: &mut BytesMut, bytes: usize, is_copied: bool) -> Bytes {
        self.scanner = EndScanner::default();
        if !is_copied {
            return buffer.split_to(bytes).freeze();
        }
        let section = Bytes::copy_from_slice(&buffer[..bytes]);
        buffer.advance(bytes);
        section
    }

    /// Reads a whole head whose lines end there.
    fn read(
        &self,
        section: &Bytes,
        ends: &[usize],
        asked: Asked<'_>,
        mut headers: HeaderMap,
    ) -> Result<Option<ResponseHead>, HeadError> {
        if let Some((start, said)) = usual::read(section, ends, &mut headers) {
            let framing = framing::framing(start, said, asked.method)?;
            return Ok(Some(head(start, said, framing, headers)));
        }
        headers.clear();
        self.read_any(section, asked, headers).map(Some)
    }

    /// Reads a whole head of any form.
    #[inline(never)]
    fn read_any(
        &self,
        section: &Bytes,
        asked: Asked<'_>,
        headers: HeaderMap,
    ) -> Result<ResponseHead, HeadError> {
        let mut survey = Survey::default();
        // Its lines end in CRLF, the last one too: to whom it has no end they do not.
        let start = self.survey(section, &mut survey)?;
        let start = start.ok_or(HeadError::LineEnd)?;
        build(section, start, &survey, asked, headers)
    }

    /// Parses a head of any form in place, if it is complete, and notes what matters
    /// in it. Apart, because what is parsed into takes 4 KiB of the stack.
    #[inline(never)]
    fn survey(&self, buffer: &[u8], survey: &mut Survey) -> Result<Option<Start>, HeadError> {
        let limit = self.limits.max_headers.min(MAX_FIELDS);
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut response, buffer, &mut fields[..limit])
            .map_err(|error| match error {
                httparse::Error::TooManyHeaders => HeadError::TooManyHeaders { limit },
                error => HeadError::Malformed(error),
            })?;
        let httparse::Status::Complete(bytes) = parsed else {
            return Ok(None);
        };
        let section = &buffer[..bytes];
        if bytes > self.limits.max_bytes {
            return Err(self.too_large());
        }
        // An empty line before the status line is not ours to skip.
        if section[0] != b'H' || !has_strict_line_ends(section, response.headers) {
            return Err(HeadError::LineEnd);
        }
        let start = Start {
            bytes,
            status: StatusCode::from_u16(response.code.unwrap_or_default())
                .map_err(|_| HeadError::Status)?,
            is_http_11: response.version == Some(1),
        };
        survey.read(section, response.headers)?;
        Ok(Some(start))
    }

    fn wait(&self, buffer: &[u8]) -> Result<Option<ResponseHead>, HeadError> {
        if buffer.len() >= self.limits.max_bytes {
            return Err(self.too_large());
        }
        Ok(None)
    }

    fn too_large(&self) -> HeadError {
        HeadError::TooLarge {
            limit: self.limits.max_bytes,
        }
    }
}

/// What the status line says, and the length of the whole head in bytes.
#[derive(Debug, Clone, Copy)]
struct Start {
    bytes: usize,
    status: StatusCode,
    is_http_11: bool,
}

fn build(
    section: &Bytes,
    start: Start,
    survey: &Survey,
    asked: Asked<'_>,
    map: HeaderMap,
) -> Result<ResponseHead, HeadError> {
    let framing = framing::framing(start, survey.said, asked.method)?;
    let mut headers = headers(section, start.status, survey, map)?;
    if start.status == StatusCode::SWITCHING_PROTOCOLS {
        let protocol = switched(section, survey, asked.upgrade)?;
        headers.insert(header::UPGRADE, protocol);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    Ok(head(start, survey.said, framing, headers))
}

fn head(start: Start, said: Said, framing: ResponseFraming, headers: HeaderMap) -> ResponseHead {
    ResponseHead {
        status: start.status,
        headers,
        framing,
        reusable: framing::is_reusable(start, said, framing),
    }
}

/// The protocol that a server has switched to, if it is the one asked for.
fn switched(
    section: &Bytes,
    survey: &Survey,
    asked: Option<&str>,
) -> Result<HeaderValue, HeadError> {
    let named = survey.upgrade.as_ref().map(|span| span.value(section));
    match (asked, named) {
        (Some(asked), Some(named)) if named.eq_ignore_ascii_case(asked.as_bytes()) => {
            HeaderValue::from_bytes(named).map_err(|_| HeadError::UnexpectedUpgrade)
        }
        _ => Err(HeadError::UnexpectedUpgrade),
    }
}

fn headers(
    section: &Bytes,
    status: StatusCode,
    survey: &Survey,
    mut headers: HeaderMap,
) -> Result<HeaderMap, HeadError> {
    let length = survey
        .length
        .as_ref()
        .filter(|_| !framing::is_bodiless(status));
    headers.reserve(survey.fields.len() + usize::from(length.is_some()));
    for span in survey.fields.iter().chain(length) {
        let (name, value) = span
            .to_field(section)
            .ok_or(HeadError::Malformed(httparse::Error::HeaderName))?;
        headers
            .try_append(name, value)
            .map_err(|_| HeadError::TooManyHeaders { limit: MAX_FIELDS })?;
    }
    for span in &survey.connections {
        for name in hop::listed(span.value(section)) {
            if let Ok(name) = std::str::from_utf8(name) {
                headers.remove(name);
            }
        }
    }
    Ok(headers)
}
