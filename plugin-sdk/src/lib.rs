//! Write a Gatewright plugin in Rust: implement the trait of a role, name it in
//! [`export!`], build a component.
//!
//! A balancer that sends everyone to the nearest zone, whole:
//!
//! ```
//! use gatewright_plugin_sdk::{Balancer, ConfigError, Slot, endpoints, export};
//!
//! #[derive(serde::Deserialize)]
//! struct Config { zone: String }
//!
//! struct SameZone { zone: String, near: Vec<Slot>, turn: usize }
//!
//! impl Balancer for SameZone {
//!     type Config = Config;
//!
//!     fn configure(config: Config) -> Result<Self, ConfigError> {
//!         Ok(Self { zone: config.zone, near: Vec::new(), turn: 0 })
//!     }
//!
//!     fn eligible(&mut self, mut slots: Vec<Slot>) {
//!         slots.retain(|slot| endpoints::label(*slot, "zone").as_ref() == Some(&self.zone));
//!         self.near = slots;
//!     }
//!
//!     fn pick(&mut self, _key: u64) -> Option<Slot> {
//!         self.turn += 1;
//!         self.near.get(self.turn % self.near.len().max(1)).copied()
//!     }
//! }
//!
//! export!(SameZone: balancer);
//! # fn main() {}
//! ```
//!
//! # Building
//!
//! The crate is a `cdylib` and nothing else, for Cargo leaves `lto` out of what
//! is an `rlib` too. In its `.cargo/config.toml` stands the linker that
//! makes components, which comes with Rust:
//!
//! ```toml
//! [build]
//! target = "wasm32-unknown-unknown"
//! [target.wasm32-unknown-unknown]
//! linker = "wasm-component-ld"
//! ```
//!
//! Then `rustup target add wasm32-unknown-unknown` and `cargo build --release`.
//! (`wasm32-wasip2` works too, but its standard library imports WASI.) A fast
//! component wants `opt-level = 3`, `lto = true`, `codegen-units = 1` and
//! `panic = "abort"`; with `opt-level = "s"` it is a quarter smaller.
//!
//! # Testing
//!
//! A policy is plain Rust: its unit tests run natively against the fake host
//! in [`testing`].
//!
//! # Memory
//!
//! A component has the crate's own allocator, which keeps small blocks for the
//! next of their size; without the feature `allocator` it has Rust's, or
//! yours.
//!
//! # Without `std`
//!
//! With `default-features = false` the crate needs an allocator alone; a
//! `no_std` plugin brings its own allocator and panic handler.
//!
//! # Reading order
//!
//! The [roles](Balancer), the [optional interfaces](Observer), [`export!`];
//! what balancers are made of ([`Members`], [`Candidates`], [`Circle`], [`Ledger`],
//! [`Latencies`], [`Measured`], [`Generator`]);
//! then the host: [`request`], [`endpoints`], [`load`], [`pools`], [`log`] and
//! [`advice`] need no grant; [`rewrite`], [`response`], [`store`],
//! [`sessions`], [`clock`], [`random`] and [`metrics`] do.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", not(target_arch = "wasm32")))]
extern crate std;

mod adapters;
#[cfg(any(
    test,
    all(
        feature = "allocator",
        target_arch = "wasm32",
        not(target_feature = "atomics")
    )
))]
mod allocating;
mod candidates;
mod circle;
mod config;
#[doc(hidden)]
pub mod exporting;
mod failing;
mod generator;
mod host;
mod latencies;
mod ledger;
mod measured;
mod members;
mod optional;
#[cfg(all(feature = "std", target_arch = "wasm32"))]
mod panicking;
mod roles;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(any(test, all(target_arch = "wasm32", not(target_feature = "atomics"))))]
mod tray;
#[doc(hidden)]
#[expect(
    unreachable_pub,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::semicolon_if_nothing_returned,
    clippy::uninlined_format_args,
    clippy::unwrap_used,
    clippy::panic,
    reason = "generated code"
)]
#[rustfmt::skip]
pub mod bindings;

pub use bindings::everything::gatewright::plugin::load::Report;
pub use bindings::everything::gatewright::plugin::store::Taken;
pub use bindings::everything::gatewright::plugin::types::{
    ConfigError, Ending, Endpoint, Outcome, PoolIndex, Slot,
};
pub use bindings::routing::exports::gatewright::plugin::routing::Decision;
pub use bindings::screening::exports::gatewright::plugin::screening::Verdict;
pub use candidates::{Candidate, Candidates, better_of_two};
pub use circle::Circle;
pub use config::{Configuration, NoConfig, parse, refuse, within};
pub use generator::{Generator, hash, mix};
pub use host::{
    advice, clock, endpoints, load, log, metrics, pools, random, request, response, rewrite,
    sessions, store,
};
pub use latencies::{Latencies, Peaks};
pub use ledger::Ledger;
pub use measured::Measured;
pub use members::Members;
pub use optional::{Handover, Observer};
pub use roles::{Affinity, Balancer, RequestPolicy, ResponsePolicy, Router, ScanningBalancer};

#[doc(hidden)]
pub use alloc::{string::String as __String, vec::Vec as __Vec};

/// What a scanning balancer's `load` and [`load::active`] say of a slot that
/// may not be used: empty, unhealthy, draining, full, or tried already.
pub const UNUSABLE: u32 = u32::MAX;
