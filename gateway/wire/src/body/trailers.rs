//! The fields after the last chunk.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::{BodyError, Decoded};
use crate::fields::{EndScanner, Span, Spans, has_strict_line_ends};
use crate::hop::is_forbidden_in_trailers;

/// The most bytes of trailers: they carry checksums and statuses, not content.
const MAX_TRAILER_BYTES: usize = 16 * 1024;

/// The most trailer fields.
const MAX_TRAILER_FIELDS: usize = 32;

/// Decodes the trailers and the empty line after them.
#[derive(Debug, Default)]
pub(super) struct TrailerDecoder {
    scanner: EndScanner,
}

impl TrailerDecoder {
    /// The trailers, or the end of the body if there are none to forward.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, BodyError> {
        // Without trailers the empty line follows at once; the common case.
        if buffer.starts_with(b"\r\n") {
            buffer.advance(2);
            return Ok(Decoded::End);
        }
        let spans = if self.scanner.may_be_complete(buffer) {
            parse(buffer)?
        } else {
            None
        };
        let Some((length, spans)) = spans else {
            if buffer.len() >= MAX_TRAILER_BYTES {
                return Err(BodyError::TrailersTooLarge);
            }
            return Ok(Decoded::NeedMore);
        };
        // Who keeps a value of them keeps no more than them.
        let section = Bytes::copy_from_slice(&buffer[..length]);
        buffer.advance(length);
        let trailers = build(&section, &spans)?;
        Ok(if trailers.is_empty() {
            Decoded::End
        } else {
            Decoded::Trailers(trailers)
        })
    }
}

/// The length of the section in bytes and its fields, once it is complete.
fn parse(buffer: &[u8]) -> Result<Option<(usize, Spans)>, BodyError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
    let parsed = httparse::parse_headers(buffer, &mut fields).map_err(|error| match error {
        httparse::Error::TooManyHeaders => BodyError::TrailersTooLarge,
        _ => BodyError::Trailers,
    })?;
    let httparse::Status::Complete((length, fields)) = parsed else {
        return Ok(None);
    };
    let section = &buffer[..length];
    if length > MAX_TRAILER_BYTES {
        return Err(BodyError::TrailersTooLarge);
    }
    if !has_strict_line_ends(section, fields) {
        return Err(BodyError::Trailers);
    }
    let spans = fields
        .iter()
        .map(|field| Span::new(section, field.name.as_bytes(), field.value))
        .collect();
    Ok(Some((length, spans)))
}

fn build(section: &Bytes, spans: &Spans) -> Result<HeaderMap, BodyError> {
    let mut trailers = HeaderMap::with_capacity(spans.len());
    for span in spans {
        let (name, value) = span.to_field(section).ok_or(BodyError::Trailers)?;
        if !is_forbidden_in_trailers(name.as_str()) {
            trailers
                .try_append(name, value)
                .map_err(|_| BodyError::TrailersTooLarge)?;
        }
    }
    Ok(trailers)
}
