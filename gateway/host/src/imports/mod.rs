//! What plugins may call: one file an interface of the contract, each
//! implemented on the store's data.

mod advice;
mod clock;
mod edits;
mod endpoints;
mod load;
mod log;
mod metrics;
mod pools;
mod random;
mod request;
mod response;
mod rewrite;
mod sessions;
mod store;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::contract::Seats;
use crate::contract::imports::types;
use crate::guest::Guest;

impl types::Host for Guest {}

/// A linker that offers every import. What a plugin may use of it is settled
/// at admission, by its grants.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    Seats::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}
