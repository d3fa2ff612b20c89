//! The codings, each by its library, in one form.

use std::io;

use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use gatewright_model::config::{Coding, Levels};

/// The window of brotli, as a power of two: 256 KiB. The library's own of 4 MiB would be
/// held for every answer under way.
const BROTLI_WINDOW: i32 = 18;

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
            Coding::Zstd => Self::Zstd(ZstdEncoder::new(i32::from(levels.zstd))),
            Coding::Br => {
                let params = EncoderParams::default().window_size(BROTLI_WINDOW);
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

    /// Write what has been taken in; how much came out, and whether that is all.
    pub(super) fn flush(&mut self, output: &mut [u8]) -> io::Result<(usize, bool)> {
        let mut output = WriteBuffer::new_initialized(output);
        let to = &mut output;
        let is_done = match self {
            Self::Zstd(encoder) => EncodeV2::flush(encoder, to),
            Self::Br(encoder) => EncodeV2::flush(&mut **encoder, to),
            Self::Gzip(encoder) => EncodeV2::flush(encoder, to),
        }?;
        Ok((output.written_len(), is_done))
    }

    /// Write the end; how much came out, and whether that is all.
    pub(super) fn finish(&mut self, output: &mut [u8]) -> io::Result<(usize, bool)> {
        let mut output = WriteBuffer::new_initialized(output);
        let to = &mut output;
        let is_done = match self {
            Self::Zstd(encoder) => EncodeV2::finish(encoder, to),
            Self::Br(encoder) => EncodeV2::finish(&mut **encoder, to),
            Self::Gzip(encoder) => EncodeV2::finish(encoder, to),
        }?;
        Ok((output.written_len(), is_done))
    }
}
