//! What is kept of the components that an author's commands compiled: the
//! newest, since every build is another one.

use std::cmp::Reverse;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Files that are kept.
const MOST: usize = 50;

/// Bytes that they may have together: a dozen builds of a plugin that brings its
/// language's runtime along.
const MOST_BYTES: u64 = 500 << 20;

/// Remove the oldest files of a folder beyond what is kept. What cannot be
/// removed stays: it costs room and nothing else.
pub(super) fn tidy(folder: &Path) {
    let mut files = files(folder).unwrap_or_default();
    files.sort_by_key(|file| Reverse(file.written));
    let mut bytes = 0;
    for (place, file) in files.iter().enumerate() {
        bytes += file.bytes;
        if place >= MOST || bytes > MOST_BYTES {
            let _ = fs::remove_file(folder.join(&file.name));
        }
    }
}

struct Kept {
    name: OsString,
    written: SystemTime,
    bytes: u64,
}

fn files(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            files.push(Kept {
                name: entry.file_name(),
                written: metadata.modified()?,
                bytes: metadata.len(),
            });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    /// A folder of files of so many bytes, the first one the oldest; they are
    /// called by their age.
    fn folder(bytes: &[u64]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (age, bytes) in bytes.iter().rev().enumerate() {
            let file = File::create(folder.path().join(format!("{age:03}"))).unwrap();
            // Nothing of it is written to the disk.
            file.set_len(*bytes).unwrap();
            let written = SystemTime::now() - Duration::from_secs(age as u64 + 1);
            file.set_modified(written).unwrap();
        }
        folder
    }

    fn left(folder: &tempfile::TempDir) -> Vec<String> {
        let files = fs::read_dir(folder.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_stay_up_to_their_number() {
        let folder = folder(&[1; MOST + 2]);
        tidy(folder.path());
        assert_eq!(left(&folder).len(), MOST);
        assert_eq!(left(&folder)[0], "000", "the newest");
    }

    #[test]
    fn the_newest_stay_up_to_their_size() {
        let folder = folder(&[1, MOST_BYTES / 2, MOST_BYTES / 2]);
        tidy(folder.path());
        assert_eq!(left(&folder), ["000", "001"]);
        tidy(&folder.path().join("nowhere"));
    }
}
