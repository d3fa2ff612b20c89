//! What a plugin may ask of the gateway, one module for each imported interface.
//!
//! On `wasm32` each function is the contract's import; elsewhere it is the
//! [fake host](crate::testing), so that a policy's unit tests run natively.

pub mod advice;
pub mod clock;
pub mod endpoints;
pub mod load;
pub mod log;
pub mod metrics;
pub mod pools;
pub mod random;
pub mod request;
pub mod response;
pub mod rewrite;
pub mod sessions;
pub mod store;

#[cfg(target_arch = "wasm32")]
use crate::bindings::everything::gatewright::plugin as backend;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::backend;
