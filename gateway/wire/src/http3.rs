//! The frames of an HTTP/3 request (RFC 9114 §7), cut into pieces as they come, so
//! that whoever reads them has to hold no more than one: sizes are checked when a
//! frame begins and not when it is whole, what has no meaning is left out, and an
//! end in the middle of a frame is told from the end of the request.

mod fields;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, TE};

use self::fields::FieldSection;

/// The bodies of requests.
const DATA: u64 = 0x00;

/// Heads and trailers.
const HEADERS: u64 = 0x01;

/// Frames of other streams, and those of HTTP/2 that have none in their place
/// (RFC 9114 §7.2.8, §11.2.1).
const ELSEWHERE: [u64; 9] = [0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0d];

/// The longest beginning of a frame: two integers of eight bytes.
const LONGEST: usize = 16;

/// Fields that speak of a connection of HTTP/1.1, and have no place in HTTP/3
/// (RFC 9114 §4.2).
pub const OF_CONNECTIONS: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// A request's head that is none (RFC 9114 §4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the head is malformed")]
pub struct Malformed;

/// The length that a request announces, if its fields may stand in one.
///
/// # Errors
///
/// When they speak of a connection, or of lengths that are none or several.
pub fn check_fields(fields: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let is_elsewhere = OF_CONNECTIONS.iter().any(|name| fields.contains_key(*name));
    let mut encodings = fields.get_all(TE).iter();
    if is_elsewhere || !encodings.all(|one| one.as_bytes().eq_ignore_ascii_case(b"trailers")) {
        return Err(Malformed);
    }
    let mut lengths = fields.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(None);
    };
    let is_number = length.as_bytes().iter().all(u8::is_ascii_digit);
    let number = length.to_str().ok().and_then(|text| text.parse().ok());
    match number.filter(|_| is_number && lengths.next().is_none()) {
        Some(number) => Ok(Some(number)),
        None => Err(Malformed),
    }
}

/// A part of a request's stream that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some of the body.
    Data(Bytes),
    /// The beginning of a frame, or some of a head or of trailers.
    Framing(Bytes),
}

/// Why a stream is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame that has no place in a request.
    #[error("a frame of type {0:#x} has no place in a request")]
    Unexpected(u64),
    /// A head or trailers that are longer than they may be.
    #[error("a head of {0} bytes is too long")]
    TooLong(u64),
    /// A head or trailers with a pseudo-header field that has no place there.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Where in a request's stream one is.
#[derive(Clone, Debug)]
pub struct RequestFrames {
    /// The most bytes of a head, and of trailers, as they are sent.
    max_head: u64,
    /// The beginning of a frame, as much as has come of it.
    begun: [u8; LONGEST],
    held: usize,
    kind: Kind,
    /// How much of the frame is still to come.
    left: u64,
    /// The head, and what follows it, as far as has come.
    section: FieldSection,
    /// Whether the next one is the head.
    begins: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Data,
    Fields,
    Meaningless,
}

impl RequestFrames {
    /// The beginning of a stream. Heads of more than `max_head` bytes are refused.
    #[must_use]
    pub fn new(max_head: u64) -> Self {
        Self {
            max_head,
            begun: [0; LONGEST],
            held: 0,
            kind: Kind::Meaningless,
            left: 0,
            section: FieldSection::head(),
            begins: true,
        }
    }

    /// Whether a stream that ends here ends behind a whole frame.
    #[must_use]
    pub fn is_between_two(&self) -> bool {
        self.held == 0 && self.left == 0
    }

    /// The next piece of what has come, which is taken off; none if nothing more
    /// can be said of it.
    ///
    /// # Errors
    ///
    /// When it is no request, whatever follows.
    pub fn next(&mut self, bytes: &mut Bytes) -> Result<Option<Piece>, FrameError> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let length =
                    usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let part = bytes.split_to(length);
                self.left -= length as u64;
                match self.kind {
                    Kind::Data => return Ok(Some(Piece::Data(part))),
                    Kind::Fields => {
                        self.section.look(&part)?;
                        return Ok(Some(Piece::Framing(part)));
                    }
                    Kind::Meaningless => continue,
                }
            }
            self.begun[self.held] = bytes.split_to(1)[0];
            self.held += 1;
            let Some((kind, length)) = beginning(&self.begun[..self.held]) else {
                continue;
            };
            let begun = Bytes::copy_from_slice(&self.begun[..self.held]);
            self.held = 0;
            self.left = length;
            self.kind = match kind {
                DATA => Kind::Data,
                HEADERS if length > self.max_head => return Err(FrameError::TooLong(length)),
                HEADERS => {
                    self.section = match std::mem::take(&mut self.begins) {
                        true => FieldSection::head(),
                        false => FieldSection::trailers(),
                    };
                    Kind::Fields
                }
                kind if ELSEWHERE.contains(&kind) => return Err(FrameError::Unexpected(kind)),
                _ => Kind::Meaningless,
            };
            match self.kind {
                Kind::Meaningless => {}
                Kind::Data if length == 0 => {}
                Kind::Data | Kind::Fields => return Ok(Some(Piece::Framing(begun))),
            }
        }
        Ok(None)
    }
}

/// The type and the length that a frame begins with, once both have come whole.
fn beginning(bytes: &[u8]) -> Option<(u64, u64)> {
    let (kind, rest) = integer(bytes)?;
    let (length, _) = integer(rest)?;
    Some((kind, length))
}

/// An integer of variable length (RFC 9000 §16), and what follows it.
fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let (whole, rest) = bytes.split_at_checked(1 << (first >> 6))?;
    let first = u64::from(first & 0x3f);
    let value = whole[1..].iter();
    let value = value.fold(first, |value, byte| value << 8 | u64::from(*byte));
    Some((value, rest))
}

#[cfg(test)]
mod tests;
