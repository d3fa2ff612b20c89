//! The command line as a user has it: the real program in a fresh folder.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what tests share stands outside of test functions"
)]

mod book;
mod commands;
mod gateways;
mod reading;
mod simulate;
mod support;
mod walkthrough;
