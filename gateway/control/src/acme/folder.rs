//! What is kept of orders, in files that nobody but the gateway's user reads:
//! a certificate with its key, a note of the last attempt, the account. A file
//! is replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::config::PemFile;
use serde::{Deserialize, Serialize};

use super::course;
use super::problem::Problem;
use crate::timestamp::Timestamp;

/// The largest file that is read: far more than the gateway writes.
const LARGEST: u64 = 1024 * 1024;

/// The last attempt: what became of it, or since when there is nothing to tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attempted {
    /// How many have failed, one after the other.
    pub(super) failures: u32,
    /// When the next one may begin.
    pub(super) not_before: Timestamp,
    /// Why it has come to no certificate; none where it has.
    pub(super) reason: Option<String>,
    /// How it was asked for. Asked for otherwise, it may well be had.
    #[serde(default)]
    pub(super) way: String,
}

impl Attempted {
    /// What is noted before an attempt, for the case that nothing can be noted
    /// after it.
    pub(super) fn interrupted(failures: u32, way: &str) -> Self {
        let pause = course::pause(failures + 1, false, course::lot());
        Self {
            failures: failures + 1,
            not_before: Timestamp::now().after(pause),
            reason: Some("the gateway ended before the order did".to_owned()),
            way: way.to_owned(),
        }
    }

    pub(super) fn failed(problem: &Problem, failures: u32, way: &str) -> Self {
        let pause = course::pause(failures, problem.is_refusal(), course::lot());
        let pause = course::pause_asked_for(pause, problem.retry_after());
        Self {
            failures,
            not_before: Timestamp::now().after(pause),
            reason: Some(problem.to_string()),
            way: way.to_owned(),
        }
    }

    /// A certificate has come that lives so long.
    pub(super) fn succeeded(lifetime: Duration, way: &str) -> Self {
        Self {
            failures: 0,
            not_before: Timestamp::now().after(course::rest(lifetime)),
            reason: None,
            way: way.to_owned(),
        }
    }
}

/// What is there of a certificate: itself, empty where there is none, and the
/// last attempt to get one. What cannot be read just now is an error: it may well
/// be there.
pub(super) async fn look(kept: &Path) -> io::Result<(PemFile, Option<Attempted>)> {
    let path = kept.to_owned();
    let looking = tokio::task::spawn_blocking(move || {
        let contents = read(&path)?.unwrap_or_default().into();
        let note = read(&note_of(&path))?.unwrap_or_default();
        let attempted = serde_json::from_slice(&note).ok();
        Ok((PemFile { path, contents }, attempted))
    });
    looking.await?
}

/// Keep a certificate with its key.
pub(super) async fn keep(kept: &PemFile) -> io::Result<()> {
    put(kept.path.clone(), Arc::clone(&kept.contents)).await
}

/// Note an attempt.
pub(super) async fn note(kept: &Path, attempted: &Attempted) -> io::Result<()> {
    let json = serde_json::to_vec(attempted)?;
    put(note_of(kept), json.into()).await
}

/// Remove a file, if it is there.
pub(super) async fn remove(path: PathBuf) -> io::Result<()> {
    let removed = tokio::task::spawn_blocking(move || fs::remove_file(path)).await?;
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a file holds; none where there is no such file.
pub(super) async fn get(path: PathBuf) -> io::Result<Option<Vec<u8>>> {
    tokio::task::spawn_blocking(move || read(&path)).await?
}

/// Put a file out of the way that makes no sense, for somebody to look at.
pub(crate) async fn set_aside(path: PathBuf) -> io::Result<()> {
    let aside = path.with_extension("unreadable");
    tracing::warn!(file = %path.display(), aside = %aside.display(), "a file makes no sense and is set aside");
    tokio::task::spawn_blocking(move || fs::rename(path, aside)).await?
}

/// Put a file in place; it is on the disk afterwards.
pub(crate) async fn put(path: PathBuf, content: Arc<[u8]>) -> io::Result<()> {
    tokio::task::spawn_blocking(move || write(&path, &content)).await?
}

fn note_of(kept: &Path) -> PathBuf {
    kept.with_extension("json")
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut content = Vec::new();
    file.take(LARGEST).read_to_end(&mut content)?;
    Ok(Some(content))
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
            let kept = PemFile {
                path: path.clone(),
                contents: text.as_bytes().into(),
            };
            keep(&kept).await.unwrap();
            let (found, attempted) = look(&path).await.unwrap();
            assert_eq!(found, kept);
            assert_eq!(&*found.contents, text.as_bytes());
            assert!(attempted.is_none());
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[tokio::test]
    async fn attempts_are_noted_those_that_succeed_too() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("a.example-00.pem");
        assert!(look(&path).await.unwrap().1.is_none());
        let day = Duration::from_secs(24 * 3600);
        for (noted, failures) in [
            (Attempted::interrupted(2, ""), 3),
            (Attempted::succeeded(day * 90, ""), 0),
        ] {
            note(&path, &noted).await.unwrap();
            let attempted = look(&path).await.unwrap().1.unwrap();
            assert_eq!(attempted.failures, failures);
            assert!(attempted.not_before > Timestamp::now());
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_taken_for_absent() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("a.example-00.pem");
        assert_eq!(get(path.clone()).await.unwrap(), None);
        // A folder in its place can be opened and not be read.
        fs::create_dir(&path).unwrap();
        assert!(get(path.clone()).await.is_err());
        assert!(look(&path).await.is_err());
    }
}
