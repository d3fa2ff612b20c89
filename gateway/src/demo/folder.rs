//! Where the demo keeps its configuration and what it compiles.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use tempfile::TempDir;

use crate::ending::usage;
use crate::temporary;

/// The configuration's name: not the usual one, so that nobody's is replaced.
const FILE_NAME: &str = "demo.toml";

/// The folder; a temporary one goes with this.
pub(super) struct Folder {
    file: PathBuf,
    _temporary: Option<TempDir>,
}

impl Folder {
    /// A folder that was asked for, which is made if it is not there, or a
    /// temporary one.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub(super) fn open(wanted: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = wanted else {
            let temporary = temporary::folder("demo")?;
            return Ok(Self {
                file: temporary.path().join(FILE_NAME),
                _temporary: Some(temporary),
            });
        };
        fs::create_dir_all(path)
            .map_err(|error| usage(anyhow!("--data: cannot make {}: {error}", path.display())))?;
        Ok(Self {
            file: path.join(FILE_NAME),
            _temporary: None,
        })
    }

    /// The configuration's file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Write the configuration, at once: whoever watches sees the old text or
    /// the new one.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(super) fn write(&self, text: &str) -> anyhow::Result<()> {
        let unwritten = |error| usage(anyhow!("cannot write {}: {error}", self.file.display()));
        let draft = self.file.with_extension("draft");
        fs::write(&draft, text).map_err(unwritten)?;
        fs::rename(&draft, &self.file).map_err(unwritten)
    }
}
