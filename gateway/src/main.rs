//! `gatewright`: a native L7 load balancer whose every decision is made by
//! WebAssembly components. This is the program: the command line, the wiring,
//! and what one tries it out with.
//!
//! Reading order: [`cli`] has a file for each command; [`demo`] is the command
//! that shows it all, with servers from [`backend`] and shoppers from
//! [`traffic`]; [`handover`] is how one process takes over from another.

mod backend;
mod certifier;
mod cli;
mod demo;
mod descriptors;
mod ending;
mod handover;
mod logging;
mod program;
mod runtime;
mod service_manager;
mod signals;
mod temporary;
mod traffic;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything opens a descriptor of its own.
    if let Err(error) = handover::claim() {
        return ending::report(Err(error));
    }
    cli::main()
}
