//! How bodies are taken off a buffer, however they arrive.

use bytes::BytesMut;
use http::HeaderMap;
use proptest::prelude::*;

use super::{BodyDecoder, BodyError, Decoded};
use crate::chunk::{encode_chunk, encode_last};
use crate::response::ResponseFraming;

/// What came of a body: its bytes, its trailers, and whether it ended.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    ended: bool,
}

/// Decodes a body that arrives in these reads; what is left over is the second result.
fn decode<'a>(
    framing: ResponseFraming,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Outcome, BytesMut), BodyError> {
    let mut decoder = BodyDecoder::new(framing);
    let mut buffer = BytesMut::new();
    let mut outcome = Outcome::default();
    for read in reads {
        buffer.extend_from_slice(read);
        loop {
            match decoder.decode(&mut buffer)? {
                Decoded::Data(data) => {
                    assert!(!data.is_empty());
                    outcome.data.extend_from_slice(&data);
                }
                Decoded::Trailers(trailers) => {
                    assert!(outcome.trailers.replace(trailers).is_none());
                }
                Decoded::End => {
                    assert!(decoder.is_ended());
                    outcome.ended = true;
                    break;
                }
                Decoded::NeedMore => break,
            }
        }
    }
    Ok((outcome, buffer))
}

fn chunked(body: &str) -> Result<Outcome, BodyError> {
    decode(ResponseFraming::Chunked, [body.as_bytes()]).map(|(outcome, _)| outcome)
}

#[track_caller]
fn is_refused(body: &str, error: BodyError) {
    assert_eq!(chunked(body), Err(error), "{body:?}");
}

#[test]
fn a_body_of_known_length_ends_with_its_last_byte() {
    let mut decoder = BodyDecoder::new(ResponseFraming::Length(5));
    let mut buffer = BytesMut::from("abc");
    assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::Data(data)) if data == "abc"));
    assert_eq!(decoder.remaining(), Some(2));
    assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::NeedMore)));
    assert_eq!(decoder.at_eof(), Err(BodyError::Truncated));
    buffer.extend_from_slice(b"deHTTP");
    assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::Data(data)) if data == "de"));
    assert!(decoder.is_ended());
    assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::End)));
    assert_eq!(buffer, "HTTP");
    assert_eq!(decoder.at_eof(), Ok(()));
}

#[test]
fn a_body_that_is_absent_or_empty_is_over_at_once() {
    for framing in [ResponseFraming::None, ResponseFraming::Length(0)] {
        let mut buffer = BytesMut::from("next");
        let mut decoder = BodyDecoder::new(framing);
        assert!(decoder.is_ended());
        assert_eq!(decoder.remaining(), Some(0));
        assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::End)));
        assert_eq!(buffer, "next");
    }
}

#[test]
fn a_body_until_close_ends_with_the_stream() {
    let mut decoder = BodyDecoder::new(ResponseFraming::UntilClose);
    let mut buffer = BytesMut::from("abc");
    assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::Data(_))));
    assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::NeedMore)));
    assert!(!decoder.is_ended());
    assert_eq!(decoder.at_eof(), Ok(()));
    assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::End)));
}

#[test]
fn data_shares_the_memory_of_the_buffer() {
    let mut buffer = BytesMut::from("5\r\nhello\r\n");
    let memory = buffer.as_ptr_range();
    let mut decoder = BodyDecoder::new(ResponseFraming::Chunked);
    let Ok(Decoded::Data(data)) = decoder.decode(&mut buffer) else {
        panic!("a whole chunk has data");
    };
    assert!(memory.contains(&data.as_ptr()));
}

#[test]
fn chunks_are_joined_and_what_follows_the_body_stays() {
    let body = b"5\r\nhello\r\n1;sig=\"x\"\r\n,\r\n6  \r\n world\r\n0\r\n\r\nHTTP/1.1";
    let (outcome, rest) = decode(ResponseFraming::Chunked, [&body[..]]).unwrap();
    assert_eq!(outcome.data, b"hello, world");
    assert!(outcome.ended && outcome.trailers.is_none());
    assert_eq!(rest, "HTTP/1.1");
}

#[test]
fn trailers_are_read_without_those_that_reframe() {
    let outcome = chunked("0\r\nX-Sum: abc\r\nContent-Length: 5\r\nX-Two:\r\n\r\n").unwrap();
    let trailers = outcome.trailers.unwrap();
    assert_eq!(trailers.len(), 2);
    assert_eq!(trailers["x-sum"], "abc");
    assert!(outcome.ended);
    let outcome = chunked("0\r\nTransfer-Encoding: gzip\r\n\r\n").unwrap();
    assert!(outcome.ended && outcome.trailers.is_none());
}

#[test]
fn a_stream_that_ends_before_the_last_chunk_is_a_truncation() {
    for body in [
        "",
        "5",
        "5\r\nhel",
        "5\r\nhello\r\n",
        "0\r\n",
        "0\r\n\r",
        "0\r\na: b\r\n",
    ] {
        let mut decoder = BodyDecoder::new(ResponseFraming::Chunked);
        let mut buffer = BytesMut::from(body);
        while !matches!(decoder.decode(&mut buffer).unwrap(), Decoded::NeedMore) {}
        assert_eq!(decoder.at_eof(), Err(BodyError::Truncated), "{body:?}");
    }
}

#[test]
fn malformed_chunks_are_refused() {
    for size in [
        "",
        " 5",
        "x",
        "+5",
        "0x5",
        "-1",
        "5 5",
        "5,",
        "10000000000000000",
    ] {
        is_refused(&format!("{size}\r\nhello\r\n"), BodyError::ChunkSize);
    }
    is_refused("5\nhello\r\n", BodyError::ChunkLine);
    is_refused("5;a\rb\r\nhello\r\n", BodyError::ChunkLine);
    is_refused("5;a\0\r\nhello\r\n", BodyError::ChunkLine);
    is_refused("5\r\nhelloX", BodyError::ChunkEnd);
    is_refused("5\r\nhello\n", BodyError::ChunkEnd);
    is_refused("5\r\nhello\rX", BodyError::ChunkEnd);
}

#[test]
fn malformed_trailers_are_refused() {
    for trailers in [
        "a b: c\r\n\r\n",
        "a: b\n\r\n",
        "a: b\r\n\n",
        "a : b\r\n\r\n",
        "\n",
    ] {
        is_refused(&format!("0\r\n{trailers}"), BodyError::Trailers);
    }
    is_refused("0\r\na: b\r\n folded\r\n\r\n", BodyError::Trailers);
}

#[test]
fn extensions_are_limited_by_line_and_by_body() {
    let long = "x".repeat(300);
    is_refused(&format!("1;{long}"), BodyError::ChunkExtensions);
    let padded = format!("1;{}\r\na\r\n", "x".repeat(200));
    is_refused(&padded.repeat(100), BodyError::ChunkExtensions);
    assert_eq!(chunked(&padded.repeat(50)).unwrap().data, [b'a'; 50]);
}

#[test]
fn trailers_are_limited_in_fields_and_bytes() {
    let many = "a: b\r\n".repeat(33);
    is_refused(&format!("0\r\n{many}\r\n"), BodyError::TrailersTooLarge);
    let long = "x".repeat(16 * 1024);
    is_refused(&format!("0\r\na: {long}"), BodyError::TrailersTooLarge);
    is_refused(
        &format!("0\r\na: {long}\r\n\r\n"),
        BodyError::TrailersTooLarge,
    );
}

/// Splits bytes at the given distances, over and over.
fn cut<'a>(bytes: &'a [u8], distances: &'a [usize]) -> Vec<&'a [u8]> {
    let mut reads = Vec::new();
    let mut rest = bytes;
    for distance in distances.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (read, unread) = rest.split_at(rest.len().min(*distance));
        reads.push(read);
        rest = unread;
    }
    reads
}

proptest! {
    #[test]
    fn a_chunked_body_is_the_same_wherever_its_reads_were_cut(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
        trailer in proptest::option::of("[a-z]{1,10}"),
        distances in prop::collection::vec(1_usize..30, 1..10),
    ) {
        let trailers = trailer.map(|value| {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", value.parse().unwrap());
            trailers
        });
        let mut body = BytesMut::new();
        for piece in &pieces {
            encode_chunk(&mut body, piece);
        }
        encode_last(&mut body, trailers.as_ref());

        let (outcome, rest) = decode(ResponseFraming::Chunked, cut(&body, &distances)).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(outcome, Outcome { data: pieces.concat(), trailers, ended: true });
    }

    #[test]
    fn any_bytes_mean_the_same_wherever_their_reads_were_cut(
        body in "[0-3a;\r\n: ]{0,40}",
        distances in prop::collection::vec(1_usize..10, 1..10),
    ) {
        let whole = decode(ResponseFraming::Chunked, [body.as_bytes()]);
        let pieces = decode(ResponseFraming::Chunked, cut(body.as_bytes(), &distances));
        // Bytes that can only become an error may be refused at once or, cut
        // otherwise, when the rest is there: neither reading accepts them.
        match (whole, pieces) {
            (Ok((whole, _)), Ok((pieces, _))) => prop_assert_eq!(whole, pieces),
            (Ok((unfinished, _)), Err(_)) | (Err(_), Ok((unfinished, _))) => {
                prop_assert!(!unfinished.ended);
            }
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        let _ = decode(ResponseFraming::Chunked, [&*bytes]);
    }
}
