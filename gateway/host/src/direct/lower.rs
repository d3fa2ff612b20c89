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

/// `option`. The value's address is its alignment behind the case's, which is
/// right because no type here is aligned to more than it is large.
impl<T: Lower> Lower for Option<T> {
    const SIZE: usize = T::ALIGN as usize + T::SIZE;
    const ALIGN: u32 = T::ALIGN;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        crossing.room(at, Self::SIZE)?[0] = u8::from(self.is_some());
        match self {
            Some(value) => value.lower(crossing, at + T::ALIGN as usize),
            None => Ok(()),
        }
    }
}

impl Lower for Report {
    const SIZE: usize = 12;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        self.in_flight.lower(crossing, at)?;
        self.latency_us.lower(crossing, at + 4)?;
        self.age_ms.lower(crossing, at + 8)
    }
}

impl Lower for Taken {
    const SIZE: usize = 8;
    const ALIGN: u32 = 4;

    fn lower(&self, crossing: &mut Crossing<'_>, at: usize) -> wasmtime::Result<()> {
        self.wait_ms.lower(crossing, at)?;
        self.left.lower(crossing, at + 4)
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
        let ending = match self.ending {
            Ending::Completed => 0,
            Ending::ConnectFailed => 1,
            Ending::Broken => 2,
            Ending::TimedOut => 3,
            Ending::Abandoned => 4,
        };
        self.slot.lower(crossing, at)?;
        crossing.write(at + 4, [ending])?;
        crossing.write(at + 6, self.status.to_le_bytes())?;
        self.first_byte_us.lower(crossing, at + 8)?;
        self.duration_us.lower(crossing, at + 12)
    }
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
