//! How a command ends: 0 when it has done what it was asked for, 1 when it
//! failed while running, 2 when it was asked wrongly.

use std::fmt;
use std::process::ExitCode;

use gatewright_host::plainly;

/// It failed while running.
const FAILED: u8 = 1;

/// It was used or configured wrongly; clap ends with the same code.
const WRONG_USAGE: u8 = 2;

/// An error that the user can mend in what was written: in the command or in
/// the configuration.
#[derive(Debug)]
struct UsageError(anyhow::Error);

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#}", self.0)
    }
}

impl std::error::Error for UsageError {}

/// Mark an error as one of usage or configuration.
pub(crate) fn usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    anyhow::Error::new(UsageError(error.into()))
}

/// Say what went wrong, if anything did, and give the code to end with.
pub(crate) fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", in_words(&error));
            ExitCode::from(code(&error))
        }
    }
}

fn code(error: &anyhow::Error) -> u8 {
    match error.is::<UsageError>() {
        true => WRONG_USAGE,
        false => FAILED,
    }
}

/// The lines of an error that has several are set under each other; whatever
/// else a terminal would obey is written out.
pub(crate) fn in_words(error: &anyhow::Error) -> String {
    let text = format!("error: {error:#}");
    let lines = text.lines().map(plainly);
    lines.collect::<Vec<_>>().join("\n       ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn only_what_is_marked_as_usage_ends_with_two() {
        assert_eq!(code(&usage(anyhow!("no such file"))), 2);
        assert_eq!(code(&anyhow!("the machine is on fire")), 1);
    }

    #[test]
    fn a_mark_says_nothing_itself() {
        let error = usage(anyhow!("inner").context("outer"));
        assert_eq!(in_words(&error), "error: outer: inner");
    }

    #[test]
    fn a_terminal_has_nothing_to_obey() {
        let error = anyhow!("it said \u{1b}]0;mine\u{7}\r");
        assert_eq!(in_words(&error), "error: it said \\u{1b}]0;mine\\u{7}\\r");
    }

    #[test]
    fn lines_are_set_under_each_other() {
        let error = anyhow!("a.toml:1: x\na.toml:2: y");
        assert_eq!(in_words(&error), "error: a.toml:1: x\n       a.toml:2: y");
    }
}
