//! The body of a response, decoded from the read buffer without copying.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use thiserror::Error;

use crate::response::ResponseFraming;

mod chunked;
mod trailers;

#[cfg(test)]
mod tests;

use chunked::ChunkedDecoder;

/// What the next bytes of a body are.
#[derive(Debug)]
pub enum Decoded {
    /// Some bytes of the body, never none.
    Data(Bytes),
    /// The fields after the last chunk, at most once and followed by the end.
    Trailers(HeaderMap),
    /// The body is over; said again at every further call.
    End,
    /// The buffer holds nothing that can be decided on; read more into it.
    NeedMore,
}

/// Why a body cannot be read on. The connection is then of no further use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// A chunk's size is not a hexadecimal number that can be counted to.
    #[error("a chunk has a malformed size")]
    ChunkSize,
    /// A chunk's extension has control characters, or its line no CRLF.
    #[error("a chunk has a malformed extension or line end")]
    ChunkLine,
    /// The line before a chunk, or the sum of these lines, is too long.
    #[error("the chunk extensions are too long")]
    ChunkExtensions,
    /// A chunk's data is not followed by CRLF.
    #[error("a chunk is longer than its size")]
    ChunkEnd,
    /// The trailers are not well-formed fields.
    #[error("the trailers are malformed")]
    Trailers,
    /// The trailers have too many bytes or fields.
    #[error("the trailers are too large")]
    TrailersTooLarge,
    /// The stream ended before the body.
    #[error("the body is cut short")]
    Truncated,
}

/// Decodes one body.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Length { remaining: u64 },
    Chunked(ChunkedDecoder),
    UntilClose,
    Ended,
}

impl BodyDecoder {
    /// A decoder before the first byte of a body.
    #[must_use]
    pub fn new(framing: ResponseFraming) -> Self {
        let state = match framing {
            ResponseFraming::None | ResponseFraming::Length(0) => State::Ended,
            ResponseFraming::Length(remaining) => State::Length { remaining },
            ResponseFraming::Chunked => State::Chunked(ChunkedDecoder::default()),
            ResponseFraming::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Takes the next part of the body off the buffer.
    ///
    /// Bytes after the end of the body stay in the buffer. Between calls that
    /// ask for more, bytes are only appended to it.
    ///
    /// # Errors
    ///
    /// See [`BodyError`]; never [`BodyError::Truncated`].
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, BodyError> {
        let decoded = match &mut self.state {
            State::Ended => return Ok(Decoded::End),
            State::UntilClose => take(buffer, u64::MAX),
            State::Length { remaining } => {
                let decoded = take(buffer, *remaining);
                if let Decoded::Data(data) = &decoded {
                    *remaining -= data.len() as u64;
                    if *remaining == 0 {
                        self.state = State::Ended;
                    }
                }
                decoded
            }
            State::Chunked(chunked) => {
                let decoded = chunked.decode(buffer)?;
                if matches!(decoded, Decoded::Trailers(_) | Decoded::End) {
                    self.state = State::Ended;
                }
                decoded
            }
        };
        Ok(decoded)
    }

    /// Takes note of the stream's end, after all that was read has been decoded.
    ///
    /// # Errors
    ///
    /// [`BodyError::Truncated`], unless the body is over or ends by this.
    pub fn at_eof(&mut self) -> Result<(), BodyError> {
        match self.state {
            State::Ended => Ok(()),
            State::UntilClose => {
                self.state = State::Ended;
                Ok(())
            }
            State::Length { .. } | State::Chunked(_) => Err(BodyError::Truncated),
        }
    }

    /// Whether the whole body has been decoded; for a body of known length
    /// already with its last byte.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The bytes yet to come, if that is known.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Ended => Some(0),
            State::Length { remaining } => Some(remaining),
            State::Chunked(_) | State::UntilClose => None,
        }
    }
}

/// What the buffer holds, up to a limit that is not zero.
fn take(buffer: &mut BytesMut, limit: u64) -> Decoded {
    if !buffer.has_remaining() {
        return Decoded::NeedMore;
    }
    let length = usize::try_from(limit).map_or(buffer.len(), |limit| limit.min(buffer.len()));
    Decoded::Data(buffer.split_to(length).freeze())
}
