//! Where the workspace's parts lie, and digests of them that are the same on
//! every machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// SHA-256 of bytes, as 64 hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// A digest of sources that neither the checkout's place, nor the order of a
/// folder's listing, nor line endings can change.
#[derive(Default)]
pub(crate) struct SourceDigest(Sha256);

impl SourceDigest {
    /// Add every file below `folder` that `counts`, named by its path from the
    /// root.
    ///
    /// # Errors
    ///
    /// When the folder or a file in it cannot be read.
    pub(crate) fn folder(
        mut self,
        root: &Path,
        folder: &str,
        counts: fn(&str) -> bool,
    ) -> Result<Self> {
        let mut files = Vec::new();
        collect(&root.join(folder), &mut files)?;
        let mut named = files
            .into_iter()
            .map(|file| Ok((name_from(root, &file)?, file)))
            .collect::<Result<Vec<_>>>()?;
        named.retain(|(name, _)| counts(name));
        named.sort();
        for (name, file) in named {
            let bytes = fs::read(&file).with_context(|| format!("cannot read {name}"))?;
            self = self.part(&name, &bytes);
        }
        Ok(self)
    }

    /// Add one named part. Its length goes in too, so that no two lists of
    /// parts run together into the same bytes.
    pub(crate) fn part(mut self, name: &str, bytes: &[u8]) -> Self {
        let bytes = without_carriage_returns(bytes);
        self.0.update(name.as_bytes());
        self.0.update([0]);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(&bytes);
        self
    }

    /// The digest as hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        HEXLOWER.encode(&self.0.finalize())
    }
}

fn without_carriage_returns(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .filter(|byte| *byte != b'\r')
        .collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}

/// A file's path below the root, with `/` on every system.
fn name_from(root: &Path, file: &Path) -> Result<String> {
    let relative = file.strip_prefix(root)?;
    let parts: Vec<_> = relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::SourceDigest;

    fn digest(parts: &[(&str, &str)]) -> String {
        parts
            .iter()
            .fold(SourceDigest::default(), |digest, (name, text)| {
                digest.part(name, text.as_bytes())
            })
            .finish()
    }

    #[test]
    fn line_endings_do_not_change_a_digest() {
        assert_eq!(digest(&[("a", "x\r\ny\r\n")]), digest(&[("a", "x\ny\n")]));
    }

    #[test]
    fn a_changed_letter_or_name_changes_a_digest() {
        let one = digest(&[("a", "x")]);
        assert_ne!(one, digest(&[("a", "y")]));
        assert_ne!(one, digest(&[("b", "x")]));
        assert_ne!(digest(&[("a", "xb")]), digest(&[("a", "x"), ("b", "")]));
    }
}
