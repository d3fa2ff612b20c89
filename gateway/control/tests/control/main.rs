//! The whole gateway, started as the command line starts it, over real sockets.

mod admin;
mod plugins;
mod reload;
mod start;
mod support;
mod watch;
