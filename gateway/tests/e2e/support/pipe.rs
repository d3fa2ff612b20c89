//! A file that whoever reads it waits for: a named pipe that nobody writes to.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::eventually::eventually;

/// A named pipe.
pub(crate) struct Pipe(PathBuf);

impl Pipe {
    /// A new one in the place of whatever file has this path.
    pub(crate) fn at(path: &Path) -> Self {
        let draft = path.with_extension("pipe");
        let made = Command::new("mkfifo").arg(&draft).status();
        assert!(made.expect("it runs").success(), "no pipe can be made");
        std::fs::rename(&draft, path).expect("a file");
        Self(path.to_owned())
    }

    /// Wait until somebody reads it. The reader goes on waiting while what this
    /// returns is there.
    pub(crate) async fn is_read(&self) -> File {
        let mut writer = None;
        eventually("somebody reads the pipe", async || {
            // There is nothing to open as long as nobody reads.
            let mut options = OpenOptions::new();
            options.write(true).custom_flags(libc::O_NONBLOCK);
            writer = options.open(&self.0).ok();
            writer.is_some()
        })
        .await;
        writer.expect("it was opened")
    }
}
