//! `gatewright man`: the command line as manual pages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Cli;

/// What the pages are of.
const SOURCE: &str = concat!("gatewright ", env!("CARGO_PKG_VERSION"));

/// How a section begins; how the one of the text behind a command's options does,
/// and how it is to.
const SECTION: &str = ".SH ";
const EXTRA: &str = ".SH EXTRA";
const NOTES: &str = ".SH NOTES";

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
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write(command, folder).with_context(writing)
}

/// Write the page of a command, and of each command in it.
fn write(mut command: Command, folder: &Path) -> io::Result<()> {
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
    for command in shown.cloned() {
        write(command, folder)?;
    }
    // Options are listed below, and would fill the synopsis without their values.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    let man = Man::new(command.override_usage(usage)).source(SOURCE);
    let mut page = Vec::new();
    man.render(&mut page)?;
    let page = String::from_utf8(page).map_err(io::Error::other)?;
    fs::write(folder.join(man.get_filename()), with_lines_kept(&page))
}

/// A page whose indented lines, which are examples and lists, stay lines.
fn with_lines_kept(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let (mut is_help, mut is_kept) = (false, false);
    for line in page.lines() {
        if line.starts_with(SECTION) {
            is_help = line == EXTRA;
        }
        let keeps = is_help && line.starts_with("  ");
        if keeps != is_kept {
            text.push_str(if keeps { ".nf\n" } else { ".fi\n" });
            is_kept = keeps;
        }
        text.push_str(if line == EXTRA { NOTES } else { line });
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indented_lines_of_a_command_s_help_stay_lines() {
        let page =
            ".SH OPTIONS\n  one\n.SH EXTRA\nfilled\n\nExamples:\n  one\n  two\n.SH VERSION\n";
        let kept = ".SH OPTIONS\n  one\n.SH NOTES\nfilled\n\nExamples:\n.nf\n  one\n  two\n.fi\n\
            .SH VERSION\n";
        assert_eq!(with_lines_kept(page), kept);
    }
}
