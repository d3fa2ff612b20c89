//! The whole gateway, started as the command line starts it, over real sockets.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what tests share stands outside of test functions"
)]

mod admin;
mod plugins;
mod reload;
mod start;
mod support;
mod watch;
