//! Chunks of a response body (RFC 9112 §7.1), read strictly.

use bytes::{Buf, BytesMut};

use super::trailers::TrailerDecoder;
use super::{BodyError, Decoded, take};
use crate::chunk::END_OF_CHUNK;

/// The most bytes in the line before a chunk. Known extensions are signatures
/// of about a hundred bytes; a short line also bounds looking at it again
/// whenever a few of its bytes arrive.
const MAX_SIZE_LINE: usize = 256;

/// The most bytes of extensions and padding in a whole body, since a server
/// could otherwise keep a gateway busy for ever with one-byte chunks that
/// carry nothing else.
const MAX_EXTENSION_BYTES: usize = 16 * 1024;

/// Decodes chunks; never asked again after it has answered trailers or the end.
#[derive(Debug, Default)]
pub(super) struct ChunkedDecoder {
    part: Part,
    extension_bytes: usize,
}

/// Which part of the body comes next.
#[derive(Debug, Default)]
enum Part {
    #[default]
    Size,
    Data {
        remaining: u64,
    },
    DataEnd,
    Trailers(TrailerDecoder),
}

impl ChunkedDecoder {
    pub(super) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, BodyError> {
        loop {
            self.part = match &mut self.part {
                Part::Size => match self.take_size(buffer)? {
                    None => return Ok(Decoded::NeedMore),
                    Some(0) => Part::Trailers(TrailerDecoder::default()),
                    Some(remaining) => Part::Data { remaining },
                },
                Part::Data { remaining } => {
                    let decoded = take(buffer, *remaining);
                    if let Decoded::Data(data) = &decoded {
                        *remaining -= data.len() as u64;
                        if *remaining == 0 {
                            self.part = Part::DataEnd;
                        }
                    }
                    return Ok(decoded);
                }
                Part::DataEnd => {
                    if !take_data_end(buffer)? {
                        return Ok(Decoded::NeedMore);
                    }
                    Part::Size
                }
                Part::Trailers(trailers) => return trailers.decode(buffer),
            };
        }
    }

    /// The size of the next chunk, once its line is complete.
    fn take_size(&mut self, buffer: &mut BytesMut) -> Result<Option<u64>, BodyError> {
        let window = &buffer[..buffer.len().min(MAX_SIZE_LINE)];
        let Some(line_feed) = window.iter().position(|&byte| byte == b'\n') else {
            if window.len() == MAX_SIZE_LINE {
                return Err(BodyError::ChunkExtensions);
            }
            return Ok(None);
        };
        let line = window[..line_feed]
            .strip_suffix(b"\r")
            .ok_or(BodyError::ChunkLine)?;
        let (size, extension) = parse_size(line)?;
        self.extension_bytes += extension.len();
        if self.extension_bytes > MAX_EXTENSION_BYTES {
            return Err(BodyError::ChunkExtensions);
        }
        buffer.advance(line_feed + 1);
        Ok(Some(size))
    }
}

/// Takes the CRLF after a chunk's data; `false` while it has not all arrived.
fn take_data_end(buffer: &mut BytesMut) -> Result<bool, BodyError> {
    let arrived = &buffer[..buffer.len().min(END_OF_CHUNK.len())];
    if !END_OF_CHUNK.starts_with(arrived) {
        return Err(BodyError::ChunkEnd);
    }
    let is_complete = arrived.len() == END_OF_CHUNK.len();
    if is_complete {
        buffer.advance(END_OF_CHUNK.len());
    }
    Ok(is_complete)
}

/// The size, and what follows it in its line: nothing, an extension, or the
/// spaces with which some servers pad it.
fn parse_size(line: &[u8]) -> Result<(u64, &[u8]), BodyError> {
    let digits = line
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .unwrap_or(line.len());
    let (digits, extension) = line.split_at(digits);
    if digits.is_empty() {
        return Err(BodyError::ChunkSize);
    }
    match extension.trim_ascii_start() {
        [] | [b';', ..] => {}
        _ => return Err(BodyError::ChunkSize),
    }
    let is_text = |&byte: &u8| byte == b'\t' || !byte.is_ascii_control();
    if !extension.iter().all(is_text) {
        return Err(BodyError::ChunkLine);
    }
    let size = digits.iter().try_fold(0_u64, |size, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(size.checked_mul(16)? + u64::from(value))
    });
    Ok((size.ok_or(BodyError::ChunkSize)?, extension))
}
