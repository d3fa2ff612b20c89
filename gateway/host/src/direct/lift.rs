//! What plugins say: values of the contract's types, read from a main module's
//! memory. A pointer is believed only when all that it points to is there.

use wasmtime::Error;

use crate::contract::imports::types::ConfigError;
use crate::contract::roles::{routing, screening};

/// A type that is read from memory.
pub(super) trait Lift: Sized {
    /// Bytes of a value.
    const SIZE: usize;
    /// What a value's address is a multiple of.
    const ALIGN: usize;

    /// Read from the [`Self::SIZE`] bytes of `value`, and from `memory` what
    /// they point to.
    fn lift(memory: &[u8], value: &[u8]) -> wasmtime::Result<Self>;
}

/// The value at an address.
pub(super) fn value<T: Lift>(memory: &[u8], at: u32) -> wasmtime::Result<T> {
    let at = place(memory, at, T::SIZE, T::ALIGN)?;
    T::lift(memory, &memory[at..at + T::SIZE])
}

/// A text, checked to be UTF-8.
pub(super) fn text(memory: &[u8], at: u32, length: u32) -> wasmtime::Result<String> {
    let text = std::str::from_utf8(bytes(memory, at, length)?);
    Ok(text.map_err(Error::new)?.to_owned())
}

/// Bytes as they are.
pub(super) fn bytes(memory: &[u8], at: u32, length: u32) -> wasmtime::Result<&[u8]> {
    let rest = memory.get(at as usize..);
    let bytes = rest.and_then(|rest| rest.get(..length as usize));
    bytes.ok_or_else(out_of_bounds)
}

/// An address, checked to have so many bytes behind it and to be aligned.
pub(super) fn place(memory: &[u8], at: u32, size: usize, align: usize) -> wasmtime::Result<usize> {
    let at = at as usize;
    if !at.is_multiple_of(align) {
        return Err(misaligned());
    }
    match at.checked_add(size) {
        Some(end) if end <= memory.len() => Ok(at),
        _ => Err(out_of_bounds()),
    }
}

#[cold]
pub(super) fn out_of_bounds() -> Error {
    Error::msg("a pointer of the plugin's leads out of its memory")
}

#[cold]
fn misaligned() -> Error {
    Error::msg("a pointer of the plugin's is not aligned")
}

#[cold]
pub(super) fn no_such_case() -> Error {
    Error::msg("a variant of the plugin's has no such case")
}

/// The number of 32 bits at an offset of a value.
fn word(value: &[u8], offset: usize) -> wasmtime::Result<u32> {
    let bytes = value.get(offset..).and_then(<[u8]>::first_chunk);
    bytes
        .map(|bytes| u32::from_le_bytes(*bytes))
        .ok_or_else(out_of_bounds)
}

/// The number of 16 bits at an offset of a value.
fn half(value: &[u8], offset: usize) -> wasmtime::Result<u16> {
    let bytes = value.get(offset..).and_then(<[u8]>::first_chunk);
    bytes
        .map(|bytes| u16::from_le_bytes(*bytes))
        .ok_or_else(out_of_bounds)
}

/// The case of a variant, option or result.
fn case(value: &[u8]) -> Option<u8> {
    value.first().copied()
}

fn text_at(memory: &[u8], value: &[u8], offset: usize) -> wasmtime::Result<String> {
    text(memory, word(value, offset)?, word(value, offset + 4)?)
}

/// `option<u32>`, such as a slot.
impl Lift for Option<u32> {
    const SIZE: usize = 8;
    const ALIGN: usize = 4;

    fn lift(_memory: &[u8], value: &[u8]) -> wasmtime::Result<Self> {
        match case(value) {
            Some(0) => Ok(None),
            Some(1) => Ok(Some(word(value, 4)?)),
            _ => Err(no_such_case()),
        }
    }
}

impl Lift for routing::Decision {
    const SIZE: usize = 8;
    const ALIGN: usize = 4;

    fn lift(_memory: &[u8], value: &[u8]) -> wasmtime::Result<Self> {
        match case(value) {
            Some(0) => Ok(Self::Forward(word(value, 4)?)),
            Some(1) => Ok(Self::Answer(half(value, 4)?)),
            Some(2) => Ok(Self::Unmatched),
            _ => Err(no_such_case()),
        }
    }
}

impl Lift for screening::Verdict {
    const SIZE: usize = 4;
    const ALIGN: usize = 2;

    fn lift(_memory: &[u8], value: &[u8]) -> wasmtime::Result<Self> {
        match case(value) {
            Some(0) => Ok(Self::Proceed),
            Some(1) => Ok(Self::Answer(half(value, 2)?)),
            _ => Err(no_such_case()),
        }
    }
}

/// What `configure` answers.
impl Lift for Result<(), ConfigError> {
    const SIZE: usize = 20;
    const ALIGN: usize = 4;

    fn lift(memory: &[u8], value: &[u8]) -> wasmtime::Result<Self> {
        match case(value) {
            Some(0) => Ok(Ok(())),
            Some(1) => Ok(Err(ConfigError {
                key: text_at(memory, value, 4)?,
                reason: text_at(memory, value, 12)?,
            })),
            _ => Err(no_such_case()),
        }
    }
}

/// What `restore` answers.
impl Lift for Result<(), String> {
    const SIZE: usize = 12;
    const ALIGN: usize = 4;

    fn lift(memory: &[u8], value: &[u8]) -> wasmtime::Result<Self> {
        match case(value) {
            Some(0) => Ok(Ok(())),
            Some(1) => Ok(Err(text_at(memory, value, 4)?)),
            _ => Err(no_such_case()),
        }
    }
}

/// What `save` answers: schema and state.
impl Lift for (u32, Vec<u8>) {
    const SIZE: usize = 12;
    const ALIGN: usize = 4;

    fn lift(memory: &[u8], value: &[u8]) -> wasmtime::Result<Self> {
        let state = bytes(memory, word(value, 4)?, word(value, 8)?)?;
        Ok((word(value, 0)?, state.to_vec()))
    }
}
