//! The frames of an HTTP/3 request: whatever pieces they come in, the same is made
//! of them, and nothing that did not come.
#![no_main]

use bytes::Bytes;
use gatewright_wire::http3::{Piece, RequestFrames};
use libfuzzer_sys::fuzz_target;

fn read(stream: &[u8], step: usize) -> Option<(Vec<u8>, bool)> {
    let mut frames = RequestFrames::new(256);
    let mut all = Vec::new();
    for part in stream.chunks(step) {
        let mut part = Bytes::copy_from_slice(part);
        while let Some(Piece::Data(bytes) | Piece::Framing(bytes)) = frames.next(&mut part).ok()? {
            all.extend_from_slice(&bytes);
        }
    }
    Some((all, frames.is_between_two()))
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, stream) = input;
    let whole = read(stream, stream.len().max(1));
    assert_eq!(whole, read(stream, usize::from(step).max(1)));
    assert!(whole.is_none_or(|(all, _)| all.len() <= stream.len()));
});
