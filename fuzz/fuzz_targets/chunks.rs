//! A body sent in chunks: read again it is the same, with the trailers that
//! may be sent and no others.
#![no_main]

use bytes::BytesMut;
use gatewright_wire::{BodyDecoder, Decoded, ResponseFraming, chunk, strip_trailers};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// A reader takes no more trailers than this.
const MOST_TRAILERS: usize = 32;

fuzz_target!(|input: (Vec<&[u8]>, Vec<(&str, &[u8])>)| {
    let (pieces, fields) = input;
    let mut trailers = HeaderMap::new();
    for (name, value) in fields.into_iter().take(MOST_TRAILERS) {
        let field = (HeaderName::try_from(name), HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = field {
            trailers.append(name, value);
        }
    }

    strip_trailers(&mut trailers, &[]);
    let mut sent = BytesMut::new();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        chunk::encode_chunk(&mut sent, piece);
    }
    chunk::encode_last(&mut sent, Some(&trailers));

    let mut decoder = BodyDecoder::new(ResponseFraming::Chunked);
    let mut body = Vec::new();
    let mut ended_with = HeaderMap::new();
    loop {
        match decoder.decode(&mut sent).expect("what was encoded") {
            Decoded::Data(data) => body.extend_from_slice(&data),
            Decoded::Trailers(trailers) => ended_with = trailers,
            Decoded::End => break,
            Decoded::NeedMore => panic!("the end was encoded"),
        }
    }
    assert!(sent.is_empty());
    assert_eq!(body, pieces.concat());
    // A reader trims what stands around a value.
    assert_eq!(ended_with.keys_len(), trailers.keys_len());
    assert_eq!(ended_with.len(), trailers.len());
});
