//! `gatewright man`: the command line as manual pages.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Cli;

/// What `gatewright man` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
There is a page for the program, gatewright.1, and one for each command, such as
gatewright-run.1 and gatewright-plugin-push.1. Pages that are there already are
replaced.

Examples:
  gatewright man --out /usr/local/share/man/man1
  gatewright man --out pages && man -l pages/gatewright-run.1")]
pub(super) struct ManOptions {
    /// The folder to write to, which is made when it is missing.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

pub(super) fn run(options: &ManOptions) -> anyhow::Result<()> {
    let folder = &options.out;
    let writing = || format!("cannot write manual pages to {}", folder.display());
    fs::create_dir_all(folder).with_context(writing)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(writing)
}
