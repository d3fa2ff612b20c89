//! Sections of header fields as they come from a server: found, checked for
//! strict line ends, and turned into names and values that share the read
//! buffer. Heads and trailers are both read through here.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use smallvec::SmallVec;

/// The largest number of fields in a section; what a stack frame holds
/// comfortably (4 KiB), and more than servers are seen to send.
pub(crate) const MAX_FIELDS: usize = 128;

/// The fields of a section by their places in it; the common section fits inline.
pub(crate) type Spans = SmallVec<[Span; 32]>;

/// Where a field lies in its section.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    name: Range<usize>,
    value: Range<usize>,
}

impl Span {
    /// The span of a field; `value` is the part of its value that counts.
    /// Both must be slices of `section`.
    pub(crate) fn new(section: &[u8], name: &[u8], value: &[u8]) -> Self {
        Self {
            name: range_in(section, name),
            value: range_in(section, value),
        }
    }

    /// The field's value.
    pub(crate) fn value<'a>(&self, section: &'a [u8]) -> &'a [u8] {
        &section[self.value.clone()]
    }

    /// The field as a name, free of allocation for the standard ones, and a
    /// value that shares the section's memory. `None` if either is not one.
    #[inline]
    pub(crate) fn to_field(&self, section: &Bytes) -> Option<(HeaderName, HeaderValue)> {
        let name = name(&section[self.name.clone()])?;
        let value = HeaderValue::from_maybe_shared(section.slice(self.value.clone())).ok()?;
        Some((name, value))
    }
}

/// The header of that name, in any case.
fn name(written: &[u8]) -> Option<HeaderName> {
    usual_name(written).or_else(|| HeaderName::from_bytes(written).ok())
}

/// The same for the fields that most responses have for their client, written as most
/// servers write them: they are told at once, others byte by byte.
pub(crate) fn usual_name(written: &[u8]) -> Option<HeaderName> {
    Some(match written {
        b"Accept-Ranges" | b"accept-ranges" => header::ACCEPT_RANGES,
        b"Cache-Control" | b"cache-control" => header::CACHE_CONTROL,
        b"Content-Encoding" | b"content-encoding" => header::CONTENT_ENCODING,
        b"Content-Type" | b"content-type" => header::CONTENT_TYPE,
        b"Date" | b"date" => header::DATE,
        b"ETag" | b"etag" => header::ETAG,
        b"Last-Modified" | b"last-modified" => header::LAST_MODIFIED,
        b"Location" | b"location" => header::LOCATION,
        b"Server" | b"server" => header::SERVER,
        b"Set-Cookie" | b"set-cookie" => header::SET_COOKIE,
        b"Vary" | b"vary" => header::VARY,
        _ => return None,
    })
}

/// Where `part`, a slice of `section`, lies in it.
fn range_in(section: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - section.as_ptr() as usize;
    start..start + part.len()
}

/// Whether every line of a parsed section ends in CRLF.
///
/// The parser below also accepts a bare LF, on which two readers of the same
/// bytes may disagree. Since it accepts no folded lines, each line but the
/// first is a field or the empty last one, and it is enough to look before
/// each of them.
pub(crate) fn has_strict_line_ends(section: &[u8], fields: &[httparse::Header<'_>]) -> bool {
    section.ends_with(b"\r\n\r\n")
        && fields.iter().all(|field| {
            let before = &section[..range_in(section, field.name.as_bytes()).start];
            before.is_empty() || before.ends_with(b"\r\n")
        })
}

/// Tells when another attempt at parsing a section is worth its while.
///
/// A section is parsed when its first bytes are there, which nearly always
/// are all of them. After that only new bytes are looked at, for the empty
/// line, so that a server which sends byte by byte costs linear time.
#[derive(Debug, Default)]
pub(crate) struct EndScanner {
    scanned: usize,
}

impl EndScanner {
    /// Whether the section may be complete. `buffer` begins with the section
    /// and is the buffer of the last call, grown by what was read since.
    pub(crate) fn may_be_complete(&mut self, buffer: &[u8]) -> bool {
        let seen = std::mem::replace(&mut self.scanned, buffer.len());
        if seen == 0 {
            return !buffer.is_empty();
        }
        // An end that was cut by the last read began at most two bytes before.
        let fresh = &buffer[seen.saturating_sub(2).min(buffer.len())..];
        fresh.windows(2).any(|pair| pair == b"\n\n") || fresh.windows(3).any(|end| end == b"\n\r\n")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::{EndScanner, name};

    #[test]
    fn a_usual_name_is_the_one_that_its_bytes_say() {
        for written in [
            "Accept-Ranges",
            "Cache-Control",
            "Content-Encoding",
            "Content-Length",
            "Content-Type",
            "Date",
            "ETag",
            "Last-Modified",
            "Location",
            "Server",
            "Set-Cookie",
            "Vary",
            "X-Other",
            "bad name",
        ] {
            let cases = [
                written.to_owned(),
                written.to_lowercase(),
                written.to_uppercase(),
            ];
            for written in cases {
                let said = HeaderName::from_bytes(written.as_bytes()).ok();
                assert_eq!(name(written.as_bytes()), said, "{written}");
            }
        }
    }

    #[test]
    fn an_end_that_arrives_in_pieces_is_noticed_at_its_last_byte() {
        let section = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n";
        let mut scanner = EndScanner::default();
        assert!(scanner.may_be_complete(&section[..1]));
        for end in 2..section.len() {
            assert!(!scanner.may_be_complete(&section[..end]), "{end}");
        }
        assert!(scanner.may_be_complete(section));
    }

    #[test]
    fn bare_line_feeds_end_a_section_so_that_it_can_be_refused() {
        let mut scanner = EndScanner::default();
        assert!(scanner.may_be_complete(b"a: b\n"));
        assert!(scanner.may_be_complete(b"a: b\n\n"));
    }
}
