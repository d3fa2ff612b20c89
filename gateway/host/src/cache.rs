//! Compiled components on disk, so that a start compiles nothing twice.
//!
//! Loading one is running it, so a file counts only if it belongs to this user,
//! nobody else may write it, and its digest is right.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_model::id::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::code::{self, Loaded};

/// Bytes of the digest that a file begins with.
const DIGEST_BYTES: usize = 32;

/// Write permission for anybody but the owner.
const OTHERS_WRITE: u32 = 0o022;

/// A folder of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    fingerprint: u64,
}

impl Cache {
    /// Open the folder, making it if it is not there, for code that suits an
    /// engine of this fingerprint.
    pub(crate) fn open(folder: &Path, fingerprint: u64) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            fingerprint,
        })
    }

    /// A component that was compiled before; none when there is no sound file.
    pub(crate) fn load(&self, engine: &Engine, digest: Digest) -> Option<Loaded> {
        let path = self.path(digest);
        let code = match read(&path) {
            Ok(code) => code,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled component is not used");
                return None;
            }
        };
        match code::load(engine, &code) {
            Ok(loaded) => Some(loaded),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled component is not used");
                None
            }
        }
    }

    /// Keep compiled code. A failure costs the next start a compilation, and
    /// is no more than logged.
    pub(crate) fn keep(&self, digest: Digest, code: &[u8]) {
        let path = self.path(digest);
        let beside = path.with_extension(unique());
        let kept = write(&beside, code).and_then(|()| fs::rename(&beside, &path));
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "compiled component is not kept");
            // It may not even have come to be.
            let _ = fs::remove_file(&beside);
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let fingerprint = self.fingerprint;
        self.folder
            .join(format!("{digest}-{fingerprint:016x}.compiled"))
    }
}

/// An extension that no other writer uses, here or in another process.
pub(crate) fn unique() -> String {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    format!("{}-{write}.part", process::id())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let metadata = file.metadata()?;
    let owner = rustix::process::geteuid().as_raw();
    if metadata.uid() != owner || metadata.mode() & OTHERS_WRITE != 0 {
        let reason = "others than this user could have written it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    let mut digest = [0; DIGEST_BYTES];
    file.read_exact(&mut digest)?;
    let mut code = Vec::new();
    file.read_to_end(&mut code)?;
    if digest != *Sha256::digest(&code) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
    }
    Ok(code)
}

fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn kept() -> (tempfile::TempDir, Cache, Engine, Digest) {
        let folder = tempfile::tempdir().unwrap();
        let engine = crate::engine::engine().unwrap();
        let fingerprint = crate::engine::fingerprint(&engine);
        let cache = Cache::open(&folder.path().join("compiled"), fingerprint).unwrap();
        let component = wat::parse_str("(component)").unwrap();
        let mut code = Vec::new();
        code::compile(&engine, &component, &mut code).unwrap();
        let digest = Digest([7; 32]);
        cache.keep(digest, &code);
        (folder, cache, engine, digest)
    }

    #[test]
    fn what_is_kept_is_found_again_and_is_the_owners_alone() {
        let (_folder, cache, engine, digest) = kept();
        assert!(cache.load(&engine, digest).is_some());
        assert!(cache.load(&engine, Digest([8; 32])).is_none());
        let mode = fs::metadata(cache.path(digest)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_may_write_is_not_run() {
        let (_folder, cache, engine, digest) = kept();
        let open_to_all = fs::Permissions::from_mode(0o666);
        fs::set_permissions(cache.path(digest), open_to_all).unwrap();
        assert!(cache.load(&engine, digest).is_none());
    }

    #[test]
    fn a_damaged_file_is_not_run() {
        let (_folder, cache, engine, digest) = kept();
        let path = cache.path(digest);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(cache.load(&engine, digest).is_none());
    }

    #[test]
    fn code_of_an_older_layout_is_compiled_again() {
        let (_folder, cache, engine, digest) = kept();
        let component = wat::parse_str("(component)").unwrap();
        let bare = engine.precompile_component(&component).unwrap();
        cache.keep(digest, &bare);
        assert!(cache.load(&engine, digest).is_none());
    }
}
