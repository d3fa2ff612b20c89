//! What plugins say: values of the contract's types, read from a main module's
//! memory. A pointer is believed only when all that it points to is there, and
//! no more is copied in one crossing than it allows.

use wasmtime::Error;

use crate::contract::imports::types::ConfigError;
use crate::contract::roles::{routing, screening};
use crate::limits::CROSSING_BYTES;

/// Bytes that may still be copied in one crossing.
pub(super) struct Allowance(usize);

impl Allowance {
    /// A crossing's, when it begins.
    pub(super) fn of_a_crossing() -> Self {
        Self(CROSSING_BYTES)
    }

    fn take(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(too_much)?;
        Ok(())
    }
}

/// A type that is read from memory.
pub(super) trait Lift: Sized {
    /// Bytes of a value.
    const SIZE: usize;
    /// What a value's address is a multiple of.
    const ALIGN: u32;

    /// Read from the [`Self::SIZE`] bytes of `value`, and from `memory` what
    /// they point to, as far as is allowed.
    fn lift(memory: &[u8], value: &[u8], allowed: &mut Allowance) -> wasmtime::Result<Self>;
}

/// The value at an address.
pub(super) fn value<T: Lift>(
    memory: &[u8],
    at: u32,
    allowed: &mut Allowance,
) -> wasmtime::Result<T> {
    let at = place(memory, at, T::SIZE, T::ALIGN)?;
    T::lift(memory, &memory[at..at + T::SIZE], allowed)
}

/// A text, checked to be UTF-8.
pub(super) fn text<'m>(
    memory: &'m [u8],
    (at, length): (u32, u32),
    allowed: &mut Allowance,
) -> wasmtime::Result<&'m str> {
    utf8(bytes(memory, (at, length), allowed)?)
}

/// Bytes as a text.
pub(super) fn utf8(bytes: &[u8]) -> wasmtime::Result<&str> {
    std::str::from_utf8(bytes).map_err(Error::new)
}

/// Bytes as they are.
pub(super) fn bytes<'m>(
    memory: &'m [u8],
    (at, length): (u32, u32),
    allowed: &mut Allowance,
) -> wasmtime::Result<&'m [u8]> {
    let rest = memory.get(at as usize..);
    let bytes = rest.and_then(|rest| rest.get(..length as usize));
    let bytes = bytes.ok_or_else(out_of_bounds)?;
    allowed.take(bytes.len())?;
    Ok(bytes)
}

/// An address, checked to have so many bytes behind it and to be aligned.
pub(super) fn place(memory: &[u8], at: u32, size: usize, align: u32) -> wasmtime::Result<usize> {
    aligned(at, align)?;
    let at = at as usize;
    match at.checked_add(size) {
        Some(end) if end <= memory.len() => Ok(at),
        _ => Err(out_of_bounds()),
    }
}

/// Check that an address is aligned.
pub(super) fn aligned(at: u32, align: u32) -> wasmtime::Result<()> {
    match at.is_multiple_of(align) {
        true => Ok(()),
        false => Err(misaligned()),
    }
}

/// So many bytes behind an address, to be written.
pub(super) fn room(memory: &mut [u8], at: usize, size: usize) -> wasmtime::Result<&mut [u8]> {
    let room = memory.get_mut(at..).and_then(|rest| rest.get_mut(..size));
    room.ok_or_else(out_of_bounds)
}

#[cold]
fn out_of_bounds() -> Error {
    Error::msg("a pointer of the plugin's leads out of its memory")
}

#[cold]
fn too_much() -> Error {
    Error::msg(format!(
        "too much data is handed to the host in one call: {CROSSING_BYTES} bytes are the most"
    ))
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

/// Address and length, at an offset of a value.
fn list(value: &[u8], offset: usize) -> wasmtime::Result<(u32, u32)> {
    Ok((word(value, offset)?, word(value, offset + 4)?))
}

/// `option<u32>`, such as a slot.
impl Lift for Option<u32> {
    const SIZE: usize = 8;
    const ALIGN: u32 = 4;

    fn lift(_memory: &[u8], value: &[u8], _allowed: &mut Allowance) -> wasmtime::Result<Self> {
        match case(value) {
            Some(0) => Ok(None),
            Some(1) => Ok(Some(word(value, 4)?)),
            _ => Err(no_such_case()),
        }
    }
}

impl Lift for routing::Decision {
    const SIZE: usize = 8;
    const ALIGN: u32 = 4;

    fn lift(_memory: &[u8], value: &[u8], _allowed: &mut Allowance) -> wasmtime::Result<Self> {
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
    const ALIGN: u32 = 2;

    fn lift(_memory: &[u8], value: &[u8], _allowed: &mut Allowance) -> wasmtime::Result<Self> {
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
    const ALIGN: u32 = 4;

    fn lift(memory: &[u8], value: &[u8], allowed: &mut Allowance) -> wasmtime::Result<Self> {
        match case(value) {
            Some(0) => Ok(Ok(())),
            Some(1) => Ok(Err(ConfigError {
                key: text(memory, list(value, 4)?, allowed)?.to_owned(),
                reason: text(memory, list(value, 12)?, allowed)?.to_owned(),
            })),
            _ => Err(no_such_case()),
        }
    }
}

/// What `restore` answers.
impl Lift for Result<(), String> {
    const SIZE: usize = 12;
    const ALIGN: u32 = 4;

    fn lift(memory: &[u8], value: &[u8], allowed: &mut Allowance) -> wasmtime::Result<Self> {
        match case(value) {
            Some(0) => Ok(Ok(())),
            Some(1) => Ok(Err(text(memory, list(value, 4)?, allowed)?.to_owned())),
            _ => Err(no_such_case()),
        }
    }
}

/// What `save` answers: schema and state.
impl Lift for (u32, Vec<u8>) {
    const SIZE: usize = 12;
    const ALIGN: u32 = 4;

    fn lift(memory: &[u8], value: &[u8], allowed: &mut Allowance) -> wasmtime::Result<Self> {
        let state = bytes(memory, list(value, 4)?, allowed)?;
        Ok((word(value, 0)?, state.to_vec()))
    }
}
