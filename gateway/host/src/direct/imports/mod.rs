//! What plugins may call, for main modules: each function takes its arguments
//! out of the plugin's memory, asks the same [`Guest`] as the other lane, and
//! leaves the answer there.

mod acting;
mod asking;
mod editing;
mod keeping;

use wasmtime::{AsContextMut, Caller, Engine, IntoFunc, Linker};

use super::crossing::Crossing;
use crate::contract::interface;
use crate::guest::Guest;

/// A linker that offers every import. As in the other lane, what a plugin may
/// use of it is settled at admission: a main module imports what its component
/// imports, and nothing else.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    asking::define(&mut linker)?;
    acting::define(&mut linker)?;
    editing::define(&mut linker)?;
    keeping::define(&mut linker)?;
    Ok(linker)
}

/// One interface in a linker.
struct Interface<'l> {
    linker: &'l mut Linker<Guest>,
    name: String,
}

impl<'l> Interface<'l> {
    fn new(linker: &'l mut Linker<Guest>, name: &str) -> Self {
        let name = interface(name);
        Self { linker, name }
    }

    fn define<P, R>(
        &mut self,
        function: &str,
        call: impl IntoFunc<Guest, P, R>,
    ) -> wasmtime::Result<&mut Self> {
        self.linker.func_wrap(&self.name, function, call)?;
        Ok(self)
    }
}

/// The plugin calls: its memory and what imports work on.
fn enter<'a>(caller: &'a mut Caller<'_, Guest>) -> wasmtime::Result<Crossing<'a>> {
    Crossing::begin(caller.as_context_mut())
}
