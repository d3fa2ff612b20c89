//! The frames of an HTTP/3 request, in pieces of every size.

use proptest::prelude::*;

use super::*;

/// An integer in as few bytes as it needs.
fn encoded(value: u64) -> Vec<u8> {
    let (length, mark) = match value {
        0..0x40 => (1, 0x00),
        0x40..0x4000 => (2, 0x40),
        0x4000..0x4000_0000 => (4, 0x80),
        _ => (8, 0xc0),
    };
    let mut bytes = value.to_be_bytes()[8 - length..].to_vec();
    bytes[0] |= mark;
    bytes
}

fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    [&encoded(kind)[..], &encoded(payload.len() as u64), payload].concat()
}

/// What is left of a stream that comes in pieces of so many bytes: all of it, and
/// the body alone.
fn read(stream: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, bool), FrameError> {
    let mut frames = RequestFrames::new(100);
    let (mut all, mut body) = (Vec::new(), Vec::new());
    for part in stream.chunks(step) {
        let mut part = Bytes::copy_from_slice(part);
        while let Some(piece) = frames.next(&mut part)? {
            match piece {
                Piece::Data(bytes) => {
                    body.extend_from_slice(&bytes);
                    all.extend_from_slice(&bytes);
                }
                Piece::Framing(bytes) => all.extend_from_slice(&bytes),
            }
        }
        assert!(part.is_empty());
    }
    Ok((all, body, frames.is_between_two()))
}

#[test]
fn what_has_no_meaning_is_left_out_however_it_comes() {
    let grease = frame(0x21 + 0x1f * 5, b"anything");
    let wanted = [
        frame(HEADERS, b"head"),
        frame(DATA, b"body"),
        frame(HEADERS, b"sum"),
    ];
    let [head, data, trailers] = wanted.clone();
    let empty = frame(DATA, b"");
    let stream = [
        grease.clone(),
        head,
        empty.clone(),
        data,
        grease,
        empty,
        trailers,
    ]
    .concat();
    for step in [1, 2, 3, 7, stream.len()] {
        let read = read(&stream, step);
        assert_eq!(
            read,
            Ok((wanted.concat(), b"body".to_vec(), true)),
            "{step}"
        );
    }
}

#[test]
fn an_end_within_a_frame_is_no_end_of_the_request() {
    let stream = frame(DATA, b"body");
    for end in 1..stream.len() {
        let (_, _, is_between_two) = read(&stream[..end], 1).unwrap();
        assert!(!is_between_two, "{end}");
    }
}

#[test]
fn a_head_is_refused_before_it_has_come() {
    let longest = [encoded(HEADERS), encoded((1 << 62) - 1)].concat();
    assert_eq!(read(&longest, 1), Err(FrameError::TooLong((1 << 62) - 1)));
    assert_eq!(
        read(&frame(HEADERS, &[0; 101]), 9),
        Err(FrameError::TooLong(101))
    );
    assert!(read(&frame(HEADERS, &[0; 100]), 9).is_ok());
}

#[test]
fn frames_of_other_streams_are_refused() {
    for kind in ELSEWHERE {
        assert_eq!(
            read(&frame(kind, b""), 1),
            Err(FrameError::Unexpected(kind))
        );
    }
}

#[test]
fn fields_of_a_connection_and_doubtful_lengths_are_refused() {
    let check = |lines: &[(&'static str, &'static str)]| {
        let lines = lines.iter().map(|(name, value)| {
            let value = http::HeaderValue::from_static(value);
            (http::HeaderName::from_static(name), value)
        });
        check_fields(&lines.collect())
    };
    assert_eq!(check(&[]), Ok(None));
    assert_eq!(
        check(&[("content-length", "12"), ("te", "trailers")]),
        Ok(Some(12))
    );
    for lines in [
        &[("connection", "close")][..],
        &[("keep-alive", "1")],
        &[("proxy-connection", "close")],
        &[("transfer-encoding", "chunked")],
        &[("upgrade", "websocket")],
        &[("te", "gzip")],
        &[("te", "trailers"), ("te", "gzip")],
        &[("content-length", "+1")],
        &[("content-length", "")],
        &[("content-length", "1, 1")],
        &[("content-length", "99999999999999999999")],
        &[("content-length", "1"), ("content-length", "1")],
    ] {
        assert_eq!(check(lines), Err(Malformed), "{lines:?}");
    }
}

proptest! {
    #[test]
    fn anything_is_read_or_refused_the_same_in_one_piece_or_in_many(
        stream in prop::collection::vec(prop_oneof![0u8..10, any::<u8>()], 0..200),
        step in 1usize..20,
    ) {
        prop_assert_eq!(read(&stream, step), read(&stream, 200));
    }

    #[test]
    fn an_integer_is_read_as_it_was_written(value in 0u64..1 << 62) {
        let written = encoded(value);
        prop_assert_eq!(integer(&written), Some((value, &[][..])));
    }
}
