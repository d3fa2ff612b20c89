//! A chunked body: the same data whether it arrives whole or byte by byte.
#![no_main]

use bytes::BytesMut;
use gatewright_wire::{BodyDecoder, BodyError, Decoded, ResponseFraming};
use libfuzzer_sys::fuzz_target;

fn decode<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Result<(Vec<u8>, bool), BodyError> {
    let mut decoder = BodyDecoder::new(ResponseFraming::Chunked);
    let mut buffer = BytesMut::new();
    let mut body = Vec::new();
    for read in reads {
        buffer.extend_from_slice(read);
        loop {
            match decoder.decode(&mut buffer)? {
                Decoded::Data(data) => body.extend_from_slice(&data),
                Decoded::Trailers(trailers) => assert!(!trailers.is_empty()),
                Decoded::End | Decoded::NeedMore => break,
            }
        }
    }
    Ok((body, decoder.is_ended()))
}

fuzz_target!(|bytes: &[u8]| {
    let whole = decode(std::iter::once(bytes));
    let piecewise = decode(bytes.chunks(1));
    // A malformed trailer section may be noticed only at its end.
    if let (Ok((_, true)), _) | (_, Ok((_, true))) = (&whole, &piecewise) {
        assert_eq!(whole, piecewise);
    }
});
