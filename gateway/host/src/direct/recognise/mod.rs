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

/// The recogniser's own version: a number made of its source, so that none who
/// mends it can forget to count.
pub(crate) const VERSION: u64 = digest(&[
    include_bytes!("core.rs"),
    include_bytes!("mod.rs"),
    include_bytes!("proof.rs"),
    include_bytes!("reexports.rs"),
    include_bytes!("wiring.rs"),
    include_bytes!("../names.rs"),
]);

/// FNV-1a of 64 bits (RFC 9923): it need only tell versions apart, and the
/// compiler can work it out.
const fn digest(files: &[&[u8]]) -> u64 {
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    let mut file = 0;
    while file < files.len() {
        let mut at = 0;
        while at < files[file].len() {
            digest = (digest ^ files[file][at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        file += 1;
    }
    digest
}

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
