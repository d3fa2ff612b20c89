//! The file of a Unix socket that clients connect to: made anew at the start,
//! with the mode that says who may connect, and gone at the end.
//!
//! A file may be left of a process that was killed. Whether somebody listens
//! behind it is found out by connecting: only the file of nobody is replaced.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, SockAddr, Socket, Type};

/// The file of a socket that this process listens on. It is removed when this is
/// dropped, unless it has been before or is somebody else's by then.
pub(crate) struct SocketFile {
    path: Arc<Path>,
    mode: u32,
    /// What tells it from another file at the same path.
    identity: Option<Identity>,
    is_ours: AtomicBool,
}

/// A file's device and number there.
type Identity = (u64, u64);

impl SocketFile {
    /// Listen at a path, with room for so many connections that nobody has
    /// accepted yet. Users may connect whom the file's `mode` lets write to it.
    pub(crate) fn listen(
        path: &Arc<Path>,
        mode: u32,
        backlog: i32,
    ) -> io::Result<(UnixListener, Self)> {
        clear(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = Self {
            path: Arc::clone(path),
            mode,
            identity: identity(path),
            is_ours: AtomicBool::new(true),
        };
        // Nobody can connect before the next step, whatever the mode was so far.
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        socket.listen(backlog)?;
        Ok((OwnedFd::from(socket).into(), file))
    }

    /// The file of a socket that another process made and hands over: it stays that
    /// one's until [`Self::own`].
    pub(crate) fn adopt(path: &Arc<Path>, mode: u32) -> Self {
        Self {
            path: Arc::clone(path),
            mode,
            identity: identity(path),
            is_ours: AtomicBool::new(false),
        }
    }

    /// From now on it is this process's, with the mode that its listener asks for.
    pub(crate) fn own(&self) {
        if self.is_ours.swap(true, Ordering::Relaxed) {
            return;
        }
        let mode = Permissions::from_mode(self.mode);
        if let Err(error) = fs::set_permissions(&self.path, mode) {
            let path = self.path.display();
            tracing::warn!(%path, %error, "the mode of a socket's file cannot be set");
        }
    }

    /// From now on it is the process's that it was handed to.
    pub(crate) fn leave(&self) {
        self.is_ours.store(false, Ordering::Relaxed);
    }

    /// Remove the file: whoever connects from now on is refused, and another
    /// gateway may have the path. What another has there is left alone.
    pub(crate) fn remove(&self) {
        if self.is_ours.swap(false, Ordering::Relaxed)
            && self.identity.is_some()
            && self.identity == identity(&self.path)
            && let Err(error) = fs::remove_file(&self.path)
        {
            let path = self.path.display();
            tracing::warn!(%path, %error, "the file of a socket cannot be removed");
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// What is at a path; none where nothing is.
fn identity(path: &Path) -> Option<Identity> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Make room at a path, where a dead process may have left a socket.
fn clear(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // One whose queue is full would keep it waiting.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        Ok(()) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    use super::*;

    /// A path where nothing is.
    fn free(name: &str) -> (PathBuf, Arc<Path>) {
        let folder = env::temp_dir().join(format!("gatewright-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = Arc::from(folder.join("web.sock"));
        (folder, path)
    }

    fn listen(path: &Arc<Path>) -> io::Result<(UnixListener, SocketFile)> {
        SocketFile::listen(path, 0o640, 8)
    }

    #[test]
    fn a_file_is_made_with_its_mode_and_goes_with_its_owner() {
        let (folder, path) = free("mode");
        let (_listener, file) = listen(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        UnixStream::connect(&path).unwrap();
        drop(file);
        assert!(!path.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_nobody_listens_behind_is_replaced() {
        let (folder, path) = free("stale");
        let (listener, file) = listen(&path).unwrap();
        // As when its process is killed.
        std::mem::forget(file);
        drop(listener);
        assert!(path.exists());
        let _again = listen(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_is_handed_over_is_removed_by_its_new_owner_alone() {
        let (folder, path) = free("handed");
        let (_listener, before) = listen(&path).unwrap();
        drop(SocketFile::adopt(&path, 0o600));
        assert!(path.exists());
        let after = SocketFile::adopt(&path, 0o600);
        after.own();
        before.leave();
        drop(before);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(after);
        assert!(!path.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_another_has_put_in_its_place_stays() {
        let (folder, path) = free("replaced");
        let (_listener, file) = listen(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let (_others, other) = listen(&path).unwrap();
        drop(file);
        UnixStream::connect(&path).unwrap();
        drop(other);
        assert!(!path.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_in_use_or_is_no_socket_is_left_alone() {
        let (folder, path) = free("used");
        let (_listener, file) = listen(&path).unwrap();
        let refused = listen(&path).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        file.remove();
        fs::write(&path, "mine").unwrap();
        let refused = listen(&path).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_listener_whose_queue_is_full_is_alive() {
        let (folder, path) = free("full");
        let (_listener, _file) = SocketFile::listen(&path, 0o600, 0).unwrap();
        let _queued = UnixStream::connect(&path).unwrap();
        let refused = listen(&path).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        fs::remove_dir_all(folder).unwrap();
    }
}
