//! Where values cross between the host and a main module's memory, and the
//! rules of that: bounds, alignment, text that is UTF-8, an end to what is copied
//! at once, and no way out of the plugin while it only allocates or cleans up for
//! the host.

use wasmtime::{AsContextMut, Error, Instance, Memory, StoreContextMut, TypedFunc, WasmParams};

use super::blocks::Blocks;
use super::lift::{self, Allowance, Lift};
use super::lower::{self, Lower};
use super::names::{BLOCKS, MEMORY, REALLOC, TRAY};
use super::tray::Tray;
use crate::guest::Guest;
use crate::view::ExchangeView;

/// Old address, old size, alignment, new size; the new address.
type Realloc = TypedFunc<(u32, u32, u32, u32), u32>;

/// A running main module's side of every crossing. It lies in the store's data
/// and is taken away while the plugin may not call out, which is how imports
/// know.
pub(crate) struct Border {
    memory: Memory,
    blocks: Option<Blocks>,
    tray: Option<Tray>,
    realloc: Option<Realloc>,
}

/// A crossing: one call of an import, or of an export.
pub(super) struct Crossing<'a> {
    store: StoreContextMut<'a, Guest>,
    memory: Memory,
    blocks: Option<Blocks>,
    allowance: Allowance,
}

impl Border {
    /// The border of an instance that was just made.
    pub(super) fn of(
        mut store: impl AsContextMut<Data = Guest>,
        instance: &Instance,
    ) -> wasmtime::Result<Box<Self>> {
        let memory = instance.get_memory(&mut store, MEMORY);
        let memory = memory.ok_or_else(|| Error::msg("the module exports no memory"))?;
        let realloc = match instance.get_func(&mut store, REALLOC) {
            Some(realloc) => Some(realloc.typed(&store)?),
            None => None,
        };
        Ok(Box::new(Self {
            memory,
            blocks: address(&mut store, instance, BLOCKS).map(Blocks::at),
            tray: address(&mut store, instance, TRAY).and_then(Tray::at),
            realloc,
        }))
    }
}

/// The address that an instance gives under a name, if it has one there.
fn address(
    mut store: impl AsContextMut<Data = Guest>,
    instance: &Instance,
    name: &str,
) -> Option<u32> {
    let global = instance.get_global(&mut store, name)?;
    Some(global.get(&mut store).i32()?.cast_unsigned())
}

impl<'a> Crossing<'a> {
    /// Begin a crossing, which fails while the plugin may not call out.
    pub(super) fn begin(store: impl Into<StoreContextMut<'a, Guest>>) -> wasmtime::Result<Self> {
        let store = store.into();
        match &store.data().border {
            Some(border) => Ok(Self {
                memory: border.memory,
                blocks: border.blocks,
                store,
                allowance: Allowance::of_a_crossing(),
            }),
            None => Err(closed()),
        }
    }

    /// What imports work on.
    pub(super) fn guest(&mut self) -> &mut Guest {
        self.store.data_mut()
    }

    /// Have something done with the exchange, which is taken out of what
    /// imports work on for so long: what it says need not be copied to be
    /// handed over.
    pub(super) fn lending<T>(
        &mut self,
        act: impl FnOnce(&mut Self, Option<&dyn ExchangeView>) -> T,
    ) -> T {
        let exchange = self.guest().exchange.take();
        let done = act(self, exchange.as_deref());
        self.guest().exchange = exchange;
        done
    }

    /// A text of the plugin's.
    pub(super) fn text(&mut self, at: u32, length: u32) -> wasmtime::Result<String> {
        let memory = self.memory.data(&self.store);
        lift::text(memory, (at, length), &mut self.allowance).map(str::to_owned)
    }

    /// A text of the plugin's where it lies, and what imports work on.
    pub(super) fn text_beside(
        &mut self,
        at: u32,
        length: u32,
    ) -> wasmtime::Result<(&str, &mut Guest)> {
        let (memory, guest) = self.memory.data_and_store_mut(&mut self.store);
        let text = lift::text(memory, (at, length), &mut self.allowance)?;
        Ok((text, guest))
    }

    /// Bytes of the plugin's where they lie, and what imports work on.
    pub(super) fn bytes_beside(
        &mut self,
        at: u32,
        length: u32,
    ) -> wasmtime::Result<(&[u8], &mut Guest)> {
        let (memory, guest) = self.memory.data_and_store_mut(&mut self.store);
        let bytes = lift::bytes(memory, (at, length), &mut self.allowance)?;
        Ok((bytes, guest))
    }

    /// Bytes of the plugin's.
    pub(super) fn bytes(&mut self, at: u32, length: u32) -> wasmtime::Result<Vec<u8>> {
        let memory = self.memory.data(&self.store);
        lift::bytes(memory, (at, length), &mut self.allowance).map(<[u8]>::to_vec)
    }

    /// What the plugin left at an address.
    pub(super) fn lift<T: Lift>(&mut self, at: u32) -> wasmtime::Result<T> {
        let memory = self.memory.data(&self.store);
        lift::value(memory, at, &mut self.allowance)
    }

    /// Leave a value where the plugin wants it.
    pub(super) fn leave<T: Lower>(&mut self, at: u32, value: &T) -> wasmtime::Result<()> {
        lift::aligned(at, T::ALIGN)?;
        value.lower(self, at as usize)
    }

    /// Hand a list over in memory of the plugin's own; returns its address and
    /// length.
    pub(super) fn hand_over<T: Lower>(&mut self, list: &[T]) -> wasmtime::Result<(u32, u32)> {
        let size = list.len().checked_mul(T::SIZE);
        let size = size.ok_or_else(|| Error::msg("a list is too long for the plugin"))?;
        let mut places = [(0, u32::try_from(size)?)];
        self.allocate(T::ALIGN, &mut places)?;
        let [(at, _)] = places;
        lift::aligned(at, T::ALIGN)?;
        T::lower_all(list, self, at as usize)?;
        // It fits: the whole list lies in a memory of 32 bits.
        Ok((at, list.len() as u32))
    }

    /// Hand texts over in memory of the plugin's own; returns the address and
    /// the length of each.
    fn hand_over_texts<const N: usize>(
        &mut self,
        texts: [&str; N],
    ) -> wasmtime::Result<[(u32, u32); N]> {
        self.with_texts(texts, |_, places| Ok(places))
    }

    /// Hand a text over, and leave its address and its length where the plugin wants
    /// them.
    pub(super) fn leave_text(&mut self, text: &str, at: usize) -> wasmtime::Result<()> {
        self.with_texts([text], |memory, [place]| {
            lift::room(memory, at, 8)?.copy_from_slice(&lower::place(place));
            Ok(())
        })
    }

    /// Hand texts over and do something with the memory that they are in. There is
    /// room for all before the first is written, so that it is looked for once.
    fn with_texts<const N: usize, T>(
        &mut self,
        texts: [&str; N],
        then: impl FnOnce(&mut [u8], [(u32, u32); N]) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let mut places = [(0, 0); N];
        for ((_, length), text) in places.iter_mut().zip(texts) {
            *length = u32::try_from(text.len())?;
        }
        let mut memory = self.memory.data_mut(&mut self.store);
        if !take_blocks(self.blocks, memory, 1, &mut places) {
            self.call_allocator(1, &mut places)?;
            memory = self.memory.data_mut(&mut self.store);
        }
        for ((at, _), text) in places.iter().zip(texts) {
            let room = lift::room(memory, *at as usize, text.len())?;
            room.copy_from_slice(text.as_bytes());
        }
        then(memory, places)
    }

    /// Show texts to the plugin for the one call that follows: on its tray, or else
    /// in memory of its own.
    pub(super) fn show_texts<const N: usize>(
        &mut self,
        texts: [&str; N],
    ) -> wasmtime::Result<[(u32, u32); N]> {
        let tray = self.tray();
        let memory = self.memory.data_mut(&mut self.store);
        match tray.and_then(|tray| tray.lay_texts(memory, texts)) {
            Some(laid) => Ok(laid),
            None => self.hand_over_texts(texts),
        }
    }

    /// The same of numbers.
    pub(super) fn show_numbers(&mut self, numbers: &[u32]) -> wasmtime::Result<(u32, u32)> {
        let tray = self.tray();
        let memory = self.memory.data_mut(&mut self.store);
        match tray.and_then(|tray| tray.lay_numbers(memory, numbers)) {
            Some(laid) => Ok(laid),
            None => self.hand_over(numbers),
        }
    }

    fn tray(&self) -> Option<Tray> {
        self.store.data().border.as_ref()?.tray
    }

    /// Bytes of the plugin's memory, to be written.
    pub(super) fn room(&mut self, at: usize, size: usize) -> wasmtime::Result<&mut [u8]> {
        lift::room(self.memory.data_mut(&mut self.store), at, size)
    }

    /// Write bytes into the plugin's memory.
    pub(super) fn write<const N: usize>(
        &mut self,
        at: usize,
        bytes: [u8; N],
    ) -> wasmtime::Result<()> {
        self.room(at, N)?.copy_from_slice(&bytes);
        Ok(())
    }

    /// Room for so many bytes each, of the plugin's own making. Whether it is
    /// there is checked when something is written to it.
    fn allocate(&mut self, align: u32, places: &mut [(u32, u32)]) -> wasmtime::Result<()> {
        let memory = self.memory.data_mut(&mut self.store);
        match take_blocks(self.blocks, memory, align, places) {
            true => Ok(()),
            false => self.call_allocator(align, places),
        }
    }

    /// Have the plugin make room where there is none yet.
    #[inline(never)]
    fn call_allocator(&mut self, align: u32, places: &mut [(u32, u32)]) -> wasmtime::Result<()> {
        enclosed(&mut self.store, |store, border| {
            let realloc = border.realloc.as_ref();
            let realloc = realloc.ok_or_else(|| Error::msg("the module has no cabi_realloc"))?;
            for (at, size) in places.iter_mut().filter(|(at, _)| *at == 0) {
                *at = realloc.call(&mut *store, (0, 0, align, *size))?;
            }
            Ok(())
        })
    }
}

/// Take free blocks, if there is one for each place.
fn take_blocks(
    from: Option<Blocks>,
    memory: &mut [u8],
    align: u32,
    places: &mut [(u32, u32)],
) -> bool {
    from.is_some_and(|blocks| blocks.take_all(memory, align, places))
}

/// Call a function that only cleans up: it may not call out.
pub(super) fn clean_up<P: WasmParams>(
    mut store: impl AsContextMut<Data = Guest>,
    function: &TypedFunc<P, ()>,
    parameters: P,
) -> wasmtime::Result<()> {
    enclosed(&mut store.as_context_mut(), |store, _| {
        function.call(store, parameters)
    })
}

/// Have the plugin do something while it may not call out. After a trap nobody
/// may enter the instance again, so the border stays away.
fn enclosed<T>(
    store: &mut StoreContextMut<'_, Guest>,
    call: impl FnOnce(&mut StoreContextMut<'_, Guest>, &Border) -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    let border = store.data_mut().border.take().ok_or_else(closed)?;
    let answer = call(store, &border)?;
    store.data_mut().border = Some(border);
    Ok(answer)
}

#[cold]
fn closed() -> Error {
    Error::msg("an import was called where none may be: while allocating or cleaning up")
}
