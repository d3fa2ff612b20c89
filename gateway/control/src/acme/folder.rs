//! What is kept of orders, in files that nobody but the gateway's user reads:
//! a certificate with its key, a note of the last attempt, the account. A file
//! is replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_model::config::PemFile;
use serde::{Deserialize, Serialize};

use super::course;
use super::problem::Problem;
use crate::timestamp::Timestamp;

/// The largest file that is read: far more than the gateway writes.
const LARGEST: u64 = 1024 * 1024;

/// The last attempt, as long as it has not come to a certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attempted {
    /// How many have failed, one after the other.
    pub(super) failures: u32,
    /// When the next one may begin.
    pub(super) not_before: Timestamp,
    /// What became of it.
    pub(super) reason: String,
}

impl Attempted {
    /// What is noted before an attempt, for the case that nothing can be noted
    /// after it.
    pub(super) fn interrupted(failures: u32) -> Self {
        let pause = course::pause(failures + 1, false, course::lot());
        Self {
            failures: failures + 1,
            not_before: Timestamp::now().after(pause),
            reason: "the gateway ended before the order did".to_owned(),
        }
    }

    pub(super) fn failed(problem: &Problem, failures: u32) -> Self {
        let pause = course::pause(failures, problem.is_refusal(), course::lot());
        let pause = course::pause_asked_for(pause, problem.retry_after());
        Self {
            failures,
            not_before: Timestamp::now().after(pause),
            reason: problem.to_string(),
        }
    }
}

/// What is there of a certificate: itself, and the last attempt to get one. What
/// cannot be read is not there.
pub(super) async fn look(kept: &Path) -> (PemFile, Option<Attempted>) {
    let path = kept.to_owned();
    let looking = tokio::task::spawn_blocking(move || {
        let contents = read(&path).unwrap_or_default();
        let note = read(&note_of(&path)).unwrap_or_default();
        let contents = contents.into();
        let attempted = serde_json::from_slice(&note).ok();
        (PemFile { path, contents }, attempted)
    });
    looking.await.unwrap_or_else(|_| {
        let nothing = PemFile {
            path: kept.to_owned(),
            contents: Arc::from([]),
        };
        (nothing, None)
    })
}

/// Keep a certificate with its key.
pub(super) async fn keep(kept: &Path, pem: String) -> io::Result<PemFile> {
    let contents: Arc<[u8]> = pem.into_bytes().into();
    put(kept.to_owned(), Arc::clone(&contents)).await?;
    let path = kept.to_owned();
    Ok(PemFile { path, contents })
}

/// Note an attempt.
pub(super) async fn note(kept: &Path, attempted: &Attempted) -> io::Result<()> {
    let json = serde_json::to_vec(attempted)?;
    put(note_of(kept), json.into()).await
}

/// The last attempt has come to a certificate.
pub(super) async fn forget_attempt(kept: &Path) -> io::Result<()> {
    remove(note_of(kept)).await
}

/// Remove a file, if it is there.
pub(super) async fn remove(path: PathBuf) -> io::Result<()> {
    let removed = tokio::task::spawn_blocking(move || fs::remove_file(path)).await?;
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a file holds.
pub(super) async fn get(path: PathBuf) -> io::Result<Vec<u8>> {
    tokio::task::spawn_blocking(move || read(&path)).await?
}

/// Put a file in place; it is on the disk afterwards.
pub(super) async fn put(path: PathBuf, content: Arc<[u8]>) -> io::Result<()> {
    tokio::task::spawn_blocking(move || write(&path, &content)).await?
}

fn note_of(kept: &Path) -> PathBuf {
    kept.with_extension("json")
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut content)?;
    Ok(content)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let beside = path.with_extension("new");
    // What is left of a process that was killed; a link there is not followed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_read_by_nobody_else_and_replaced_whole() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("acme/a.example-00.pem");
        for text in ["first", "second"] {
            let kept = keep(&path, text.to_owned()).await.unwrap();
            let (found, attempted) = look(&path).await;
            assert_eq!(found, kept);
            assert_eq!(&*found.contents, text.as_bytes());
            assert!(attempted.is_none());
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[tokio::test]
    async fn an_attempt_is_noted_until_it_is_forgotten() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("a.example-00.pem");
        note(&path, &Attempted::interrupted(2)).await.unwrap();
        let (_, attempted) = look(&path).await;
        let attempted = attempted.unwrap();
        assert_eq!(attempted.failures, 3);
        assert!(attempted.not_before > Timestamp::now());
        for _ in 0..2 {
            forget_attempt(&path).await.unwrap();
            assert!(look(&path).await.1.is_none());
        }
    }
}
