//! The bindings of `sticking`, by hand: a generated lookup of a function that
//! is itself called `lookup` does not compile. They have the shape of the
//! generated ones.

use wasmtime::AsContextMut;
use wasmtime::component::{ComponentExportIndex, Func, Instance, InstancePre, TypedFunc};

use crate::contract::imports::types::{ConfigError, Endpoint};
use crate::contract::interface;

type Configure<'a> = TypedFunc<(&'a str,), (Result<(), ConfigError>,)>;
type Update<'a> = TypedFunc<(&'a [Endpoint],), ()>;
type Eligible<'a> = TypedFunc<(&'a [u32],), ()>;

/// Where a component's functions are.
#[derive(Clone)]
pub(crate) struct GuestIndices {
    configure: ComponentExportIndex,
    update: ComponentExportIndex,
    eligible: ComponentExportIndex,
    lookup: ComponentExportIndex,
    bind: ComponentExportIndex,
}

/// An instance's functions. Those that are given borrowed data have no type
/// that could be kept, so theirs is checked again for each of the few calls.
pub(crate) struct Guest {
    configure: Func,
    update: Func,
    eligible: Func,
    lookup: TypedFunc<(), (Option<u32>,)>,
    bind: TypedFunc<(u32,), ()>,
}

impl GuestIndices {
    pub(crate) fn new<T>(pre: &InstancePre<T>) -> wasmtime::Result<Self> {
        let component = pre.component();
        let name = interface("sticking");
        let missing = |what: &str| wasmtime::Error::msg(format!("there is no export {what}"));
        let instance = component.get_export_index(None, &name);
        let instance = instance.ok_or_else(|| missing(&name))?;
        let function = |function: &str| {
            let index = component.get_export_index(Some(&instance), function);
            index.ok_or_else(|| missing(&format!("{name} {function}")))
        };
        Ok(Self {
            configure: function("configure")?,
            update: function("update")?,
            eligible: function("eligible")?,
            lookup: function("lookup")?,
            bind: function("bind")?,
        })
    }

    pub(crate) fn load(
        &self,
        mut store: impl AsContextMut,
        instance: &Instance,
    ) -> wasmtime::Result<Guest> {
        let mut store = store.as_context_mut();
        let configure: Configure<'_> = instance.get_typed_func(&mut store, self.configure)?;
        let update: Update<'_> = instance.get_typed_func(&mut store, self.update)?;
        let eligible: Eligible<'_> = instance.get_typed_func(&mut store, self.eligible)?;
        Ok(Guest {
            configure: *configure.func(),
            update: *update.func(),
            eligible: *eligible.func(),
            lookup: instance.get_typed_func(&mut store, self.lookup)?,
            bind: instance.get_typed_func(&mut store, self.bind)?,
        })
    }
}

impl Guest {
    pub(crate) fn call_configure(
        &self,
        mut store: impl AsContextMut,
        config: &str,
    ) -> wasmtime::Result<Result<(), ConfigError>> {
        let configure: Configure<'_> = self.configure.typed(&mut store)?;
        configure
            .call(store, (config,))
            .map(|(configured,)| configured)
    }

    pub(crate) fn call_update(
        &self,
        mut store: impl AsContextMut,
        endpoints: &[Endpoint],
    ) -> wasmtime::Result<()> {
        let update: Update<'_> = self.update.typed(&mut store)?;
        update.call(store, (endpoints,))
    }

    pub(crate) fn call_eligible(
        &self,
        mut store: impl AsContextMut,
        slots: &[u32],
    ) -> wasmtime::Result<()> {
        let eligible: Eligible<'_> = self.eligible.typed(&mut store)?;
        eligible.call(store, (slots,))
    }

    pub(crate) fn call_lookup(&self, store: impl AsContextMut) -> wasmtime::Result<Option<u32>> {
        self.lookup.call(store, ()).map(|(slot,)| slot)
    }

    pub(crate) fn call_bind(&self, store: impl AsContextMut, slot: u32) -> wasmtime::Result<()> {
        self.bind.call(store, (slot,))
    }
}
