//! The contract as Rust, one file for each world: generated from `wit/` by
//! `cargo xtask bindings` and committed, so that a plugin compiles no generator.
//! Use the crate's own modules and traits; these are for `export!`.

pub mod balancing;
pub mod everything;
pub mod finishing;
pub mod handing_over;
pub mod observing;
pub mod routing;
pub mod scanning;
pub mod screening;
pub mod sticking;
