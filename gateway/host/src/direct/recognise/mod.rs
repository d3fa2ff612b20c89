//! Which components can run directly: those whose whole logic is one core
//! module, wired to the contract exactly as that module's own names say.
//!
//! Nothing is believed for its name alone. [`wiring`] reads what a component
//! says of its parts, [`core`] what its core modules are, and [`proof`] follows
//! every import of the main module to the import of the component that it
//! reaches, and every export of the component to the function that answers.
//! What is not understood is no error: the component keeps the other lane.

mod core;
mod proof;
mod reexports;
mod wiring;

/// The main core module of a component, if running that module alone, with
/// imports and exports by their names, is running the component.
///
/// The component must have been found valid; of an invalid one the answer
/// means nothing, but there is one.
pub(crate) fn main_module(component: &[u8]) -> Option<&[u8]> {
    let wiring = wiring::Wiring::read(component)?;
    proof::main_module(&wiring)
}

#[cfg(test)]
mod tests;
