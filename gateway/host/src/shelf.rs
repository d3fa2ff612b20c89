//! The components that the host keeps, by their digests: so that a version can
//! be had again when the file that it came from is another one.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use gatewright_model::id::Digest;
use sha2::{Digest as _, Sha256};

use crate::cache::unique;

/// The extension of a component's file.
const EXTENSION: &str = "wasm";

/// The extension of the file of its signature.
const SIGNATURE: &str = "minisig";

/// The extension of a file that is being written.
const PART: &str = "part";

/// Where components are kept.
#[derive(Debug)]
pub(crate) enum Shelf {
    /// In files that are named by their digests.
    Folder(PathBuf),
    /// As long as the process lives.
    Memory(Mutex<HashMap<Digest, Held>>),
}

/// A component that is kept in memory, with what its signature's file held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    component: Vec<u8>,
    signature: Option<String>,
}

impl Shelf {
    /// In a folder, which is made if it is not there; in memory without one.
    pub(crate) fn open(folder: Option<&Path>) -> io::Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self::Memory(Mutex::default()));
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        // A process that ended while it wrote has left a part of a component.
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|end| end == PART) {
                fs::remove_file(path)?;
            }
        }
        Ok(Self::Folder(folder.to_owned()))
    }

    /// Keep a component. It is on the disk when this returns, whole or not at
    /// all.
    pub(crate) fn keep(&self, digest: Digest, component: &[u8]) -> io::Result<()> {
        match self {
            Self::Folder(folder) => keep(folder, &path(folder, digest), component),
            Self::Memory(kept) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.entry(digest).or_default().component = component.to_owned();
                Ok(())
            }
        }
    }

    /// Whether there is a component, whole or not.
    pub(crate) fn has(&self, digest: Digest) -> bool {
        match self {
            Self::Folder(folder) => path(folder, digest).is_file(),
            Self::Memory(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.contains_key(&digest)
            }
        }
    }

    /// A component that was kept; an error of the kind "not found" without one.
    pub(crate) fn load(&self, digest: Digest) -> io::Result<Vec<u8>> {
        match self {
            Self::Folder(folder) => {
                let component = fs::read(path(folder, digest))?;
                if digest != Digest(Sha256::digest(&component).into()) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
                }
                Ok(component)
            }
            Self::Memory(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.get(&digest)
                    .map(|held| held.component.clone())
                    .ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        }
    }

    /// Keep the signature of a component that is kept.
    pub(crate) fn keep_signature(&self, digest: Digest, signature: &str) -> io::Result<()> {
        match self {
            Self::Folder(folder) => {
                let path = path(folder, digest).with_extension(SIGNATURE);
                keep(folder, &path, signature.as_bytes())
            }
            Self::Memory(kept) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.entry(digest).or_default().signature = Some(signature.to_owned());
                Ok(())
            }
        }
    }

    /// The signature of a component; none where there is none that can be read.
    pub(crate) fn signature(&self, digest: Digest) -> Option<String> {
        match self {
            Self::Folder(folder) => {
                fs::read_to_string(path(folder, digest).with_extension(SIGNATURE)).ok()
            }
            Self::Memory(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.get(&digest)?.signature.clone()
            }
        }
    }

    /// Keep a component no more.
    pub(crate) fn forget(&self, digest: Digest) -> io::Result<()> {
        match self {
            Self::Folder(folder) => {
                let path = path(folder, digest);
                remove(&path.with_extension(SIGNATURE)).and_then(|()| remove(&path))
            }
            Self::Memory(kept) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.remove(&digest);
                Ok(())
            }
        }
    }

    /// The digests of all that is kept.
    pub(crate) fn list(&self) -> io::Result<Vec<Digest>> {
        match self {
            Self::Folder(folder) => {
                let mut kept = Vec::new();
                for file in fs::read_dir(folder)? {
                    let path = file?.path();
                    if path.extension().is_some_and(|end| end == EXTENSION) {
                        kept.extend(digest_of(&path));
                    }
                }
                Ok(kept)
            }
            Self::Memory(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(kept.keys().copied().collect())
            }
        }
    }
}

fn path(folder: &Path, digest: Digest) -> PathBuf {
    folder.join(digest.to_string()).with_extension(EXTENSION)
}

/// The digest that a file is named by.
fn digest_of(path: &Path) -> Option<Digest> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// Remove a file, unless it is not there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn keep(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(unique());
    let written = write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if let Err(error) = written {
        // It may not even have come to be.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    // The name outlives a power failure too.
    File::open(folder)?.sync_all()
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(component: &[u8]) -> Digest {
        Digest(Sha256::digest(component).into())
    }

    #[test]
    fn what_is_kept_is_had_again_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let shelves = [Shelf::open(Some(folder.path())), Shelf::open(None)];
        for shelf in shelves.map(Result::unwrap) {
            let (one, other) = (digest(b"one"), digest(b"other"));
            shelf.keep(one, b"one").unwrap();
            shelf.keep(one, b"one").unwrap();
            assert_eq!(shelf.load(one).unwrap(), b"one");
            assert_eq!(shelf.list().unwrap(), [one]);
            assert_eq!(shelf.signature(one), None);
            shelf.keep_signature(one, "somebody's").unwrap();
            assert_eq!(shelf.signature(one).as_deref(), Some("somebody's"));
            assert_eq!(shelf.list().unwrap(), [one]);
            let absent = shelf.load(other).unwrap_err();
            assert_eq!(absent.kind(), io::ErrorKind::NotFound);
            shelf.forget(one).unwrap();
            shelf.forget(one).unwrap();
            assert!(shelf.load(one).is_err());
            assert_eq!(shelf.signature(one), None);
        }
    }

    #[test]
    fn a_part_that_was_left_behind_is_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        let part = path(folder.path(), digest(b"whole")).with_extension(unique());
        fs::write(&part, b"who").unwrap();
        let shelf = Shelf::open(Some(folder.path())).unwrap();
        assert!(shelf.list().unwrap().is_empty() && !part.exists());
    }

    #[test]
    fn a_damaged_file_is_not_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(Some(folder.path())).unwrap();
        shelf.keep(digest(b"whole"), b"whole").unwrap();
        fs::write(path(folder.path(), digest(b"whole")), b"who").unwrap();
        let damaged = shelf.load(digest(b"whole")).unwrap_err();
        assert_eq!(damaged.kind(), io::ErrorKind::InvalidData);
    }
}
