//! The codings, each by its library, in one form.

use std::io;

use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::CParameter;
use compression_codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use gatewright_model::config::{Coding, Levels};

/// The window of brotli and zstd, as a power of two: 256 KiB. The libraries' own of up to
/// 4 MiB would be held for every answer under way.
const WINDOW: u8 = 18;

/// From this level on zstd's own tables are larger than it makes them for a window of that
/// size, which it does only where it knows the length beforehand: 41 MiB at level 12.
const LARGE_TABLES: u8 = 7;

/// Writes a body in a coding.
pub(super) enum Encoder {
    Zstd(ZstdEncoder),
    Br(Box<BrotliEncoder>),
    Gzip(GzipEncoder),
}

impl Encoder {
    pub(super) fn new(coding: Coding, levels: &Levels) -> Self {
        let level = |level: u8| Level::Precise(i32::from(level));
        match coding {
            Coding::Zstd => {
                let window = u32::from(WINDOW);
                let params = [
                    CParameter::window_log(window),
                    CParameter::hash_log(window + 1),
                    CParameter::chain_log(window),
                ];
                let few = match levels.zstd < LARGE_TABLES {
                    true => &params[..1],
                    false => &params[..],
                };
                Self::Zstd(ZstdEncoder::new_with_params(i32::from(levels.zstd), few))
            }
            Coding::Br => {
                let params = EncoderParams::default().window_size(i32::from(WINDOW));
                Self::Br(Box::new(BrotliEncoder::new(
                    params.quality(level(levels.br)),
                )))
            }
            Coding::Gzip => Self::Gzip(GzipEncoder::new(level(levels.gzip).into())),
        }
    }

    /// Take in as much of `input` as there is room for what comes of it; how much was
    /// taken in and how much came out.
    pub(super) fn encode(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        let mut input = PartialBuffer::new(input);
        let mut output = WriteBuffer::new_initialized(output);
        let (from, to) = (&mut input, &mut output);
        match self {
            Self::Zstd(encoder) => encoder.encode(from, to),
            Self::Br(encoder) => EncodeV2::encode(&mut **encoder, from, to),
            Self::Gzip(encoder) => EncodeV2::encode(encoder, from, to),
        }?;
        Ok((input.written_len(), output.written_len()))
    }

    /// Write what has been taken in; whether that is all, and how much came out.
    pub(super) fn flush(&mut self, output: &mut [u8]) -> io::Result<(bool, usize)> {
        let mut output = WriteBuffer::new_initialized(output);
        let to = &mut output;
        let is_done = match self {
            Self::Zstd(encoder) => EncodeV2::flush(encoder, to),
            Self::Br(encoder) => EncodeV2::flush(&mut **encoder, to),
            Self::Gzip(encoder) => EncodeV2::flush(encoder, to),
        }?;
        Ok((is_done, output.written_len()))
    }

    /// Write the end; whether that is all, and how much came out.
    pub(super) fn finish(&mut self, output: &mut [u8]) -> io::Result<(bool, usize)> {
        let mut output = WriteBuffer::new_initialized(output);
        let to = &mut output;
        let is_done = match self {
            Self::Zstd(encoder) => EncodeV2::finish(encoder, to),
            Self::Br(encoder) => EncodeV2::finish(&mut **encoder, to),
            Self::Gzip(encoder) => EncodeV2::finish(encoder, to),
        }?;
        Ok((is_done, output.written_len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zstd_asks_clients_for_no_more_than_the_window() {
        for level in [1, 3, 7, 12] {
            let levels = Levels {
                zstd: level,
                ..Levels::default()
            };
            let mut encoder = Encoder::new(Coding::Zstd, &levels);
            let mut output = [0; 1024];
            let (_, begun) = encoder.encode(b"a", &mut output).unwrap();
            encoder.flush(&mut output[begun..]).unwrap();
            // RFC 8878 §3.1.1.1: magic number, descriptor without a size, window.
            assert_eq!(output[4] & 0b1110_0000, 0, "{level}");
            assert_eq!(output[5], (WINDOW - 10) << 3, "{level}");
        }
    }
}
