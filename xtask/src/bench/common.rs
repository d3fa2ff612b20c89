//! What every benchmark of a gateway takes.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

/// Which program is measured, and how it is told what was found.
#[derive(Clone, clap::Args)]
pub(super) struct Common {
    /// End with one line of JSON
    #[arg(long)]
    json: bool,
    /// The gateway's program (default: a release build of these sources)
    #[arg(long)]
    gatewright: Option<PathBuf>,
}

impl Common {
    /// Those of a benchmark that is part of another one, of this program.
    pub(super) fn of(gatewright: PathBuf) -> Self {
        Self {
            json: false,
            gatewright: Some(gatewright),
        }
    }

    /// The gateway's program: the one that was named, or a release build.
    ///
    /// # Errors
    ///
    /// When it is not there, or cannot be built.
    pub(super) fn program(&self) -> Result<PathBuf> {
        super::gatewright(self.gatewright.as_deref())
    }

    /// End with what was found as one line of JSON, if that is wanted.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    pub(super) fn tell(&self, found: &impl Serialize) -> Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(found)?);
        }
        Ok(())
    }
}
