//! The direct lane: a component whose whole logic is one core module, run by
//! instantiating that module alone and speaking the canonical ABI of the
//! contract with it.
//!
//! A call through the component model costs a hundred nanoseconds and more
//! before the plugin does anything, and as much again for each import; the
//! core call beneath it costs twenty. So what the runtime does for any type
//! that there may be is done here for the contract's few: [`lower`] writes
//! what the plugin is given, [`lift`] reads what it says, [`crossing`] keeps
//! the rules of both, `imports` and [`roles`] are the contract's functions.
//!
//! The other lane is the reference. [`recognise`] lets in only components of
//! which this lane can be proved to be the same; admission judges the component
//! all the same, types and grants included; and imports end in the very
//! functions on [`Guest`] that the other lane calls. Two things are known here that
//! the contract does not say, and no plugin can tell: where one of the SDK's has
//! free [`blocks`], which spares calls of its allocator, and where its [`tray`] is,
//! which spares it the blocks of what it is only shown.

mod blocks;
pub(crate) mod crossing;
mod imports;
mod lift;
mod lower;
mod names;
pub(crate) mod recognise;
pub(crate) mod roles;
mod tray;

use wasmtime::{Instance, InstancePre, Linker, Module, Store};

use crate::direct::crossing::Border;
use crate::guest::Guest;
use names::INITIALIZE;

pub(crate) use imports::linker;

/// A main module with the contract's imports.
pub(crate) struct Linked(InstancePre<Guest>);

impl Linked {
    /// Link a main module; none when it does not fit, which leaves its
    /// component to the other lane.
    pub(crate) fn new(main: &Module, linker: &Linker<Guest>) -> Option<Self> {
        linker.instantiate_pre(main).ok().map(Self)
    }

    /// A new instance in a store that has none yet.
    pub(crate) fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Instance> {
        let instance = self.0.instantiate(&mut *store)?;
        let border = Border::of(&mut *store, &instance)?;
        store.data_mut().border = Some(border);
        if instance.get_func(&mut *store, INITIALIZE).is_some() {
            let initialize = instance.get_typed_func::<(), ()>(&mut *store, INITIALIZE)?;
            initialize.call(&mut *store, ())?;
        }
        Ok(instance)
    }
}
