//! Chunked bodies on their way to a server (RFC 9112 §7.1).

use std::num::NonZeroUsize;

use bytes::BytesMut;
use http::HeaderMap;

/// What follows the data of each chunk.
pub const END_OF_CHUNK: &[u8] = b"\r\n";

/// Writes the line before a chunk of `length` bytes.
///
/// The chunk's data and [`END_OF_CHUNK`] follow, which lets a large chunk go
/// out by a vectored write without being copied. The length is not zero,
/// because a chunk of nothing would end the body.
pub fn encode_size(out: &mut BytesMut, length: NonZeroUsize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = length.get();
    // Two digits a byte hold any length; the line's end takes two more places.
    let mut line = [0; 2 * size_of::<usize>() + 2];
    let mut start = line.len() - END_OF_CHUNK.len();
    line[start..].copy_from_slice(END_OF_CHUNK);
    while rest > 0 {
        start -= 1;
        line[start] = DIGITS[rest & 0xf];
        rest >>= 4;
    }
    out.extend_from_slice(&line[start..]);
}

/// Writes one whole chunk; nothing at all when there is no data.
pub fn encode_chunk(out: &mut BytesMut, data: &[u8]) {
    if let Some(length) = NonZeroUsize::new(data.len()) {
        encode_size(out, length);
        out.extend_from_slice(data);
        out.extend_from_slice(END_OF_CHUNK);
    }
}

/// Writes the last chunk with the trailers, if there are any, and the end of the body.
///
/// They are those that [`crate::strip_trailers`] has left.
pub fn encode_last(out: &mut BytesMut, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::{encode_chunk, encode_last};
    use crate::body::{BodyDecoder, Decoded};
    use crate::response::ResponseFraming;

    #[test]
    fn chunks_are_written_with_their_length_in_hexadecimal() {
        let mut out = BytesMut::new();
        encode_chunk(&mut out, b"hello");
        encode_chunk(&mut out, b"");
        encode_chunk(&mut out, &[b'x'; 0x2a]);
        encode_last(&mut out, None);
        let expected = format!("5\r\nhello\r\n2a\r\n{}\r\n0\r\n\r\n", "x".repeat(0x2a));
        assert_eq!(out, expected.as_bytes());
    }

    #[test]
    fn trailers_follow_the_last_chunk() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("abc"));
        let mut out = BytesMut::new();
        encode_last(&mut out, Some(&trailers));
        assert_eq!(out, &b"0\r\nx-checksum: abc\r\n\r\n"[..]);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(pieces: Vec<Vec<u8>>) {
            let mut out = BytesMut::new();
            for piece in &pieces {
                encode_chunk(&mut out, piece);
            }
            encode_last(&mut out, None);

            let mut decoder = BodyDecoder::new(ResponseFraming::Chunked);
            let mut decoded = Vec::new();
            loop {
                match decoder.decode(&mut out) {
                    Ok(Decoded::Data(data)) => decoded.extend_from_slice(&data),
                    Ok(Decoded::End) => break,
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert!(out.is_empty());
            prop_assert_eq!(decoded, pieces.concat());
        }
    }
}
