//! Compiled components on disk, so that a start compiles nothing twice.
//!
//! Loading one is running it, so a file counts only if it belongs to this user,
//! nobody else may write it, and its digest is right: of the code together with
//! what it was compiled from and for, so that no file passes for another.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatewright_model::id::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::code::{self, Loaded};

/// Bytes of the digest that a file begins with.
const DIGEST_BYTES: usize = 32;

/// How the files of whole code end.
const WHOLE: &str = ".compiled";

/// How those end that are being written.
const PART: &str = ".part";

/// How old one of those is that nobody is writing any more.
const ABANDONED: Duration = Duration::from_secs(3600);

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
    /// engine of this fingerprint. What is of no use any more is removed: code
    /// for other engines, and what was never written to its end.
    pub(crate) fn open(folder: &Path, fingerprint: u64) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let cache = Self {
            folder: folder.to_owned(),
            fingerprint,
        };
        cache.sweep()?;
        Ok(cache)
    }

    fn sweep(&self) -> io::Result<()> {
        let own = self.ending();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_abandoned = || {
                let written = entry.metadata().and_then(|metadata| metadata.modified());
                let age = written.ok().and_then(|written| written.elapsed().ok());
                age.is_some_and(|age| age > ABANDONED)
            };
            let is_of_another = name.ends_with(WHOLE) && !name.ends_with(&own);
            if is_of_another || (name.ends_with(PART) && is_abandoned()) {
                // Another process that uses the folder may have done it.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// A component that was compiled before; none when there is no sound file.
    pub(crate) fn load(&self, engine: &Engine, digest: Digest) -> Option<Loaded> {
        let path = self.path(digest);
        let code = match self.read(&path, digest) {
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

    /// Whether there is a file of a component's code, sound or not.
    pub(crate) fn has(&self, digest: Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Keep compiled code. A failure costs the next start a compilation, and
    /// is no more than logged.
    pub(crate) fn keep(&self, digest: Digest, code: &[u8]) {
        let path = self.path(digest);
        let beside = path.with_extension(unique());
        let kept = self.write(&beside, digest, code);
        let kept = kept.and_then(|()| fs::rename(&beside, &path));
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "compiled component is not kept");
            // It may not even have come to be.
            let _ = fs::remove_file(&beside);
        }
    }

    /// Keep the code of a component no more. That it is there still costs a
    /// little of the disk, and is no more than logged.
    pub(crate) fn forget(&self, digest: Digest) {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "compiled component is not removed");
            }
            _ => {}
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}{}", self.ending()))
    }

    /// How the names of files end whose code suits the engine.
    fn ending(&self) -> String {
        format!("-{:016x}{WHOLE}", self.fingerprint)
    }

    fn read(&self, path: &Path, component: Digest) -> io::Result<Vec<u8>> {
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
        if digest != self.digest(component, &code) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
        }
        Ok(code)
    }

    fn write(&self, path: &Path, component: Digest, code: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(path)?;
        file.write_all(&self.digest(component, code))?;
        file.write_all(code)
    }

    /// The digest of code, of the component that it was compiled from, and of
    /// the engine that it was compiled for.
    fn digest(&self, component: Digest, code: &[u8]) -> [u8; DIGEST_BYTES] {
        let digest = Sha256::new()
            .chain_update(component.0)
            .chain_update(self.fingerprint.to_le_bytes())
            .chain_update(code);
        digest.finalize().into()
    }
}

/// An extension that no other writer uses, here or in another process.
pub(crate) fn unique() -> String {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    format!("{}-{write}{PART}", process::id())
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
        assert!(cache.has(digest) && cache.load(&engine, digest).is_some());
        let other = Digest([8; 32]);
        assert!(!cache.has(other) && cache.load(&engine, other).is_none());
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

    #[test]
    fn the_code_of_another_component_is_not_run() {
        let (_folder, cache, engine, digest) = kept();
        let other = Digest([8; 32]);
        fs::copy(cache.path(digest), cache.path(other)).unwrap();
        assert!(cache.load(&engine, other).is_none());
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let (_folder, cache, _engine, digest) = kept();
        cache.forget(digest);
        assert!(!cache.path(digest).exists());
        cache.forget(digest);
    }

    #[test]
    fn what_nobody_can_use_is_removed_at_the_start() {
        let (folder, cache, engine, digest) = kept();
        let folder = folder.path().join("compiled");
        let make = |name: String| {
            let path = folder.join(name);
            File::create(&path).unwrap();
            path
        };
        let other = make(format!("{digest}-{:016x}.compiled", cache.fingerprint ^ 1));
        let [old, new] = ["1-1.part", "1-2.part"].map(|name| make(name.to_owned()));
        let before = std::time::SystemTime::now() - 2 * ABANDONED;
        let file = File::options().write(true).open(&old).unwrap();
        file.set_modified(before).unwrap();
        let cache = Cache::open(&folder, cache.fingerprint).unwrap();
        assert!(!other.exists() && !old.exists());
        assert!(new.exists() && cache.load(&engine, digest).is_some());
    }
}
