//! The program that this process runs: where its file is, and how it was called.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The file that this process runs, even when another one has its name by now.
pub(crate) const RUNNING: &str = "/proc/self/exe";

/// Names the program that compiles plugins where [`RUNNING`] leads to something
/// else: valgrind, say, which takes the place of the program that it measures. It is
/// this process's alone.
pub(crate) const COMPILER: &str = "GATEWRIGHT_COMPILER";

/// The program that compiles plugins: this one, for what another version compiles
/// it could not run.
pub(crate) fn compiler() -> PathBuf {
    env::var_os(COMPILER)
        .unwrap_or_else(|| RUNNING.into())
        .into()
}

/// How this process was started, so that it can be started again by what is there
/// then.
#[derive(Debug)]
pub(crate) struct Program {
    file: PathBuf,
    name: OsString,
    arguments: Vec<OsString>,
}

impl Program {
    /// This process's. Asked at its start: later the file may have been replaced,
    /// and the system says where the old one was, if anything.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_default();
        let file = match called(&name) {
            Some(file) => file,
            None => env::current_exe()?,
        };
        Ok(Self {
            file,
            name,
            arguments: arguments.collect(),
        })
    }

    /// The file's path.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What it was called by.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// What follows the name.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }
}

/// The path behind a name, links and all: who installs versions side by side and
/// changes a link means what the link says by then. None when it leads elsewhere.
fn called(name: &OsStr) -> Option<PathBuf> {
    let path = Path::new(name);
    let folder = env::current_dir().ok()?;
    let found = if path.components().count() > 1 {
        Some(folder.join(path))
    } else {
        let folders = env::var_os("PATH")?;
        let mut files = env::split_paths(&folders).map(|each| folder.join(each).join(path));
        files.find(|file| file.is_file())
    };
    found.filter(|file| is_same(file, Path::new(RUNNING)))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_to_another_file_is_not_believed() {
        assert_eq!(called(OsStr::new("/bin/sh")), None);
        assert_eq!(called(OsStr::new("no-such-program")), None);
    }

    #[test]
    fn a_link_is_kept_as_it_was_called() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current");
        std::os::unix::fs::symlink(env::current_exe().unwrap(), &link).unwrap();
        assert_eq!(called(link.as_os_str()), Some(link));
    }
}
