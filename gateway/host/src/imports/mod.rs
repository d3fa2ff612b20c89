//! What plugins may call: one file an interface of the contract, each
//! implemented on the store's data. Both lanes end here.

mod advice;
mod clock;
pub(crate) mod edits;
mod endpoints;
mod load;
mod log;
mod metrics;
mod pools;
mod random;
pub(crate) mod request;
pub(crate) mod response;
mod rewrite;
mod sessions;
mod store;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::contract::Seats;
use crate::contract::imports::types;
use crate::direct;
use crate::guest::Guest;
use crate::lanes::Lanes;

impl types::Host for Guest {}

/// The linkers of both lanes. Each offers every import; what a plugin may use
/// of them is settled at admission, by its grants.
pub(crate) struct Linkers {
    /// For components.
    pub(crate) component: Linker<Guest>,
    /// For main modules, where the host runs them directly.
    pub(crate) direct: Option<wasmtime::Linker<Guest>>,
}

impl Linkers {
    /// Linkers for these lanes.
    pub(crate) fn new(engine: &Engine, lanes: Lanes) -> wasmtime::Result<Self> {
        let direct = match lanes {
            Lanes::Both => Some(direct::linker(engine)?),
            Lanes::ComponentOnly => None,
        };
        Ok(Self {
            component: linker(engine)?,
            direct,
        })
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    Seats::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}
