//! `gatewright init`: a commented configuration to start from.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use gatewright_model::config;

use crate::ending::usage;

/// What `gatewright init` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The file that is written runs as it is: it balances what listens on the ports
3001 to 3003 of this machine, and every key that it sets is explained in it.

Examples:
  gatewright init
  gatewright init --path /etc/gatewright/gatewright.toml")]
pub(super) struct InitOptions {
    /// The file to write.
    #[arg(long, default_value = config::FILE_NAME, value_name = "FILE")]
    path: PathBuf,

    /// Replace the file if there is one already.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(options: &InitOptions) -> anyhow::Result<()> {
    write(options)?;
    let path = options.path.display();
    writeln!(
        io::stdout(),
        "wrote {path}\n\
         next: say in it where your servers are, then\n\
         \x20 gatewright check -c {path}\n\
         \x20 gatewright run -c {path}"
    )?;
    Ok(())
}

fn write(options: &InitOptions) -> anyhow::Result<()> {
    let path = options.path.display();
    let mut file = OpenOptions::new();
    // In one step with the look whether it is there, so that nobody's file is
    // lost in between.
    file.write(true)
        .create(true)
        .truncate(true)
        .create_new(!options.force);
    let mut file = file
        .open(&options.path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => usage(anyhow!(
                "{path} is there already: choose another --path, or replace it with --force"
            )),
            _ => usage(anyhow!("cannot write {path}: {error}")),
        })?;
    file.write_all(config::starter().as_bytes())
        .with_context(|| format!("cannot write {path}"))
}
