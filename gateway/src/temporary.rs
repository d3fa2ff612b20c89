//! Folders that are there for a while.

use anyhow::anyhow;
use tempfile::TempDir;

/// A folder for a purpose; it goes with what is handed over.
///
/// # Errors
///
/// Which one cannot be made, and what helps: containers and services need not have a
/// `/tmp` that can be written to.
pub(crate) fn folder(purpose: &str) -> anyhow::Result<TempDir> {
    let made = tempfile::Builder::new()
        .prefix(&format!("gatewright-{purpose}-"))
        .tempdir();
    made.map_err(|error| {
        anyhow!(
            "cannot make a temporary folder: {error}; have TMPDIR name a folder that is there \
             and that this user may write to"
        )
    })
}
