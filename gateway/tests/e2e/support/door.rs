//! Unix sockets as servers have them: each is a door to one of the tests'
//! servers, which see what comes in as they see everything else.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::task::{JoinHandle, JoinSet};

use super::upstream::Upstream;

/// A Unix socket through which a server is reached. It is closed, and its file
/// gone, when it is dropped.
pub(crate) struct Door {
    path: PathBuf,
    serving: JoinHandle<()>,
    _folder: Option<TempDir>,
}

impl Door {
    /// A door in a folder of its own.
    pub(crate) fn to(server: &Upstream) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut door = Self::at(&folder.path().join("app.sock"), server);
        door._folder = Some(folder);
        door
    }

    /// A door at this path.
    pub(crate) fn at(path: &Path, server: &Upstream) -> Self {
        let listener = UnixListener::bind(path).expect("a free path");
        let address = server.address();
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut outer, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut inner = TcpStream::connect(address).await.expect("it accepts");
                    // Either side may close in the midst of it.
                    let _ = copy_bidirectional(&mut outer, &mut inner).await;
                });
            }
        });
        Self {
            path: path.to_owned(),
            serving,
            _folder: None,
        }
    }

    /// Where it is, as a configuration writes it.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.path.display())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}
