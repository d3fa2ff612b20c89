//! Small files that the gateway writes for itself, which nobody but its user
//! reads. A file is replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read: far more than the gateway writes.
const LARGEST: u64 = 1024 * 1024;

/// Remove a file, if it is there.
pub(crate) async fn remove(path: PathBuf) -> io::Result<()> {
    let removed = tokio::task::spawn_blocking(move || fs::remove_file(path)).await?;
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a file holds; none where there is no such file.
pub(crate) async fn get(path: PathBuf) -> io::Result<Option<Vec<u8>>> {
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
    async fn a_file_is_read_by_nobody_else_and_replaced_whole() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("folder/file");
        for text in [&b"first"[..], b"second"] {
            put(path.clone(), text.into()).await.unwrap();
            assert_eq!(get(path.clone()).await.unwrap().as_deref(), Some(text));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_taken_for_absent() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("file");
        assert_eq!(get(path.clone()).await.unwrap(), None);
        // A folder in its place can be opened and not be read.
        fs::create_dir(&path).unwrap();
        assert!(get(path).await.is_err());
    }

    #[tokio::test]
    async fn what_is_put_out_of_the_way_is_still_there() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("file.json");
        put(path.clone(), Arc::from(&b"text"[..])).await.unwrap();
        set_aside(path.clone()).await.unwrap();
        assert_eq!(get(path.clone()).await.unwrap(), None);
        let aside = get(path.with_extension("unreadable")).await.unwrap();
        assert_eq!(aside.as_deref(), Some(&b"text"[..]));
        remove(path).await.unwrap();
    }
}
