//! What plugins are given: values of the contract's types, written into a main
//! module's memory. Texts and lists go where the plugin's own allocator says.

use std::borrow::Cow;

use super::crossing::Crossing;
use crate::contract::imports::load::Report;
use crate::contract::imports::store::Taken;
use crate::contract::imports::types::{Ending, Endpoint, Outcome};

/// A type that is written to memory.
pub(super) trait Lower: Sized {
    /// Bytes of a value.
    const SIZE: usize;
    /// What a value's address is a multiple of.
    const ALIGN: u32;

    /// Write to an address that is aligned; fails where [`Self::SIZE`] bytes are
    /// not there.
    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()>;

    /// Write it as an `option` that has a value, whose case is before it. No type here
    /// is aligned to more than it is large, so that this is by its alignment.
    fn lower_some(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.room(at, Option::<Self>::SIZE)?[0] = 1;
        self.lower(crossing, at + Self::ALIGN as usize)
    }

    /// Write a whole list, for which there may be no room.
    fn lower_all(list: &[Self], crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.room(at, list.len() * Self::SIZE)?;
        for (index, value) in list.iter().enumerate() {
            value.lower(crossing, at + index * Self::SIZE)?;
        }
        Ok(())
    }
}

impl Lower for u8 {
    const SIZE: usize = 1;
    const ALIGN: u32 = 1;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.write(at, [*self])
    }

    fn lower_all(list: &[Self], crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.room(at, list.len())?.copy_from_slice(list);
        Ok(())
    }
}

impl Lower for u32 {
    const SIZE: usize = 4;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.write(at, self.to_le_bytes())
    }

    fn lower_all(list: &[Self], crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        let (words, _) = crossing.room(at, list.len() * 4)?.as_chunks_mut();
        for (word, value) in words.iter_mut().zip(list) {
            *word = value.to_le_bytes();
        }
        Ok(())
    }
}

/// `string`.
impl Lower for String {
    const SIZE: usize = 8;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.leave_text(self, at)
    }
}

/// `string`, of which nobody needs a copy.
impl Lower for Cow<'_, str> {
    const SIZE: usize = 8;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.leave_text(self, at)
    }
}

/// `list`, of which nobody needs a copy.
impl<T: Lower + Clone> Lower for Cow<'_, [T]> {
    const SIZE: usize = 8;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        lower_list(self, crossing, at)
    }
}

/// `list`.
impl<T: Lower> Lower for Vec<T> {
    const SIZE: usize = 8;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        lower_list(self, crossing, at)
    }
}

/// `option`.
impl<T: Lower> Lower for Option<T> {
    const SIZE: usize = T::ALIGN as usize + T::SIZE;
    const ALIGN: u32 = T::ALIGN;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        match self {
            Some(value) => value.lower_some(crossing, at),
            None => {
                crossing.room(at, Self::SIZE)?[0] = 0;
                Ok(())
            }
        }
    }
}

impl Lower for Report {
    const SIZE: usize = 12;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        let words = [self.in_flight, self.latency_us, self.age_ms];
        crossing.write::<12>(at, bytes(words))
    }

    fn lower_some(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        let words = [1, self.in_flight, self.latency_us, self.age_ms];
        crossing.write::<16>(at, bytes(words))
    }
}

impl Lower for Taken {
    const SIZE: usize = 8;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.write::<8>(at, bytes([self.wait_ms, self.left]))
    }
}

impl Lower for Endpoint {
    const SIZE: usize = 28;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        self.slot.lower(crossing, at)?;
        self.id.lower(crossing, at + 4)?;
        self.host.lower(crossing, at + 12)?;
        crossing.write(at + 20, self.port.to_le_bytes())?;
        self.weight.lower(crossing, at + 24)
    }
}

impl Lower for Outcome {
    const SIZE: usize = 16;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.write(at, outcome(self))
    }

    fn lower_all(list: &[Self], crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        let room = crossing.room(at, list.len() * Self::SIZE)?;
        let (rooms, _) = room.as_chunks_mut();
        for (room, value) in rooms.iter_mut().zip(list) {
            *room = outcome(value);
        }
        Ok(())
    }
}

fn outcome(outcome: &Outcome) -> [u8; 16] {
    let ending = match outcome.ending {
        Ending::Completed => 0,
        Ending::ConnectFailed => 1,
        Ending::Broken => 2,
        Ending::TimedOut => 3,
        Ending::Abandoned => 4,
    };
    bytes([
        outcome.slot,
        ending | (u32::from(outcome.status) << 16),
        outcome.first_byte_us,
        outcome.duration_us,
    ])
}

/// Numbers of 32 bits as they lie in memory.
fn bytes<const WORDS: usize, const BYTES: usize>(words: [u32; WORDS]) -> [u8; BYTES] {
    const { assert!(BYTES == 4 * WORDS) };
    let mut bytes = [0; BYTES];
    let (rooms, _) = bytes.as_chunks_mut();
    for (room, word) in rooms.iter_mut().zip(words) {
        *room = word.to_le_bytes();
    }
    bytes
}

fn lower_list<T: Lower>(
    list: &[T],
    crossing: &mut Crossing<'_>,
    at: usize,
) -> wasmtime::Result<()> {
    let list = crossing.hand_over(list)?;
    crossing.write(at, place(list))
}

/// Address and length, as they lie in memory.
pub(super) fn place((at, length): (u32, u32)) -> [u8; 8] {
    let both = u64::from(at) | (u64::from(length) << 32);
    both.to_le_bytes()
}
