//! The command line as a user has it: the real program in a fresh folder.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what tests share stands outside of test functions"
)]

mod book;
mod commands;
mod containers;
mod examples;
mod formats;
mod gateways;
mod packages;
mod reading;
mod simulate;
mod support;
mod walkthrough;
