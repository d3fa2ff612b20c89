//! `gatewright compile`, hidden: the child process that a gateway compiles
//! components in, so that a laborious one cannot hurt traffic.

use std::io::{self, Read as _};
use std::process::ExitCode;

use gatewright_host::{COMPILATION, CompileError, compile, lower_limits};

/// Compile the component on the standard input to the standard output. What
/// goes wrong is said on the error output, bare: the parent words the rest.
pub(super) fn run() -> ExitCode {
    match through() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn through() -> Result<(), String> {
    let in_words = |error: io::Error| error.to_string();
    // Before anything of a stranger's is read.
    lower_limits(COMPILATION).map_err(in_words)?;
    let mut component = Vec::new();
    io::stdin().read_to_end(&mut component).map_err(in_words)?;
    compile(&component, io::stdout().lock()).map_err(|error| match error {
        CompileError::Refused(reason) => reason,
        error => error.to_string(),
    })
}
