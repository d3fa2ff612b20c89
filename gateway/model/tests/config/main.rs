//! The configuration from outside: files in, meaning or errors out.

#![expect(
    clippy::expect_used,
    reason = "what tests share stands outside of test functions"
)]

mod arbitrary;
mod environment;
mod errors;
mod files;
mod found;
mod meaning;
mod overlay;
mod schema;
