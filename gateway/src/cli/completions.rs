//! `gatewright completions`: a script that completes the command line.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;

/// What `gatewright completions` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  gatewright completions bash > ~/.local/share/bash-completion/completions/gatewright
  gatewright completions zsh > \"${fpath[1]}/_gatewright\"
  gatewright completions fish > ~/.config/fish/completions/gatewright.fish")]
pub(super) struct CompletionsOptions {
    /// The shell to write for.
    shell: Shell,
}

pub(super) fn run(options: &CompletionsOptions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    let command = &mut Cli::command();
    clap_complete::generate(options.shell, command, "gatewright", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
