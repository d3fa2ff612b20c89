//! What is kept of the order of a certificate: itself with its key, and a note of
//! the last attempt.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::config::PemFile;
use serde::{Deserialize, Serialize};

use super::course;
use super::problem::Problem;
use crate::files;
use crate::timestamp::Timestamp;

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
    let contents = files::get(path.clone()).await?.unwrap_or_default().into();
    let note = files::get(note_of(kept)).await?.unwrap_or_default();
    let attempted = serde_json::from_slice(&note).ok();
    Ok((PemFile { path, contents }, attempted))
}

/// Keep a certificate with its key.
pub(super) async fn keep(kept: &PemFile) -> io::Result<()> {
    files::put(kept.path.clone(), Arc::clone(&kept.contents)).await
}

/// Note an attempt.
pub(super) async fn note(kept: &Path, attempted: &Attempted) -> io::Result<()> {
    let json = serde_json::to_vec(attempted)?;
    files::put(note_of(kept), json.into()).await
}

fn note_of(kept: &Path) -> PathBuf {
    kept.with_extension("json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_found_again() {
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
        assert!(look(&path).await.unwrap().0.contents.is_empty());
        // A folder in its place can be opened and not be read.
        std::fs::create_dir(&path).unwrap();
        assert!(look(&path).await.is_err());
    }
}
