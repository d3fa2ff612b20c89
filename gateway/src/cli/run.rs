//! `gatewright run`: the gateway as a configuration file says.

use std::path::PathBuf;

use anyhow::anyhow;
use gatewright_control::{Keep, Source};
use gatewright_model::config::{self, Environment};

use super::serving;
use crate::ending::usage;

/// What `gatewright run` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The file is watched: what is saved is taken over between two requests, all of
it or, when anything is wrong with it, nothing. Components are watched too.

Signals:
  SIGHUP            read the configuration again now
  SIGUSR1           open the access log's file anew
  SIGUSR2           have the program, as its file is now, take over without a
                    client noticing; gatewright upgrade does the same
  SIGTERM, SIGINT   accept no more, finish what is under way, end; a second
                    one ends at once

Examples:
  gatewright run
  gatewright run -c /etc/gatewright/gatewright.toml
  GATEWRIGHT_LOG=debug PORT=80 gatewright run")]
pub(super) struct RunOptions {
    /// The configuration; gatewright.toml, .yaml or .json here or in
    /// /etc/gatewright if not given.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(options: &RunOptions) -> anyhow::Result<()> {
    let file = find(options.config.as_ref())?;
    serving::serve(
        Source::File(file),
        Environment::process(),
        Keep::InDataFolder,
    )
}

/// The configuration file that was named, or else the one that is found.
pub(super) fn find(named: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    named.cloned().or_else(config::find).ok_or_else(|| {
        usage(anyhow!(
            "there is no {} here or in /etc/gatewright: write one with `gatewright init`, \
             name one with -c FILE, or do without one by `gatewright proxy --to HOST:PORT`",
            config::FILE_NAME
        ))
    })
}
