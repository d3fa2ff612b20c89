//! A server that is a process of its own, so that it can be killed, paused and
//! started again as processes are.

use std::net::SocketAddr;
use std::process::Child;

use tempfile::TempDir;

use super::eventually::within;
use super::gateway::STARTING;
use super::run::{Log, signal, spawn};

/// What it prints before its address.
const LISTENS: &str = " listens on http://";

/// `gatewright backend`. It is killed when it is dropped.
pub(crate) struct Shop {
    address: SocketAddr,
    /// What else it is told, such as how slow to be.
    manners: Vec<String>,
    child: Child,
    folder: TempDir,
}

impl Shop {
    /// One on a free port, with options such as `--delay`.
    pub(crate) async fn open(manners: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let manners: Vec<_> = manners.iter().map(|&word| word.to_owned()).collect();
        let (child, address) = start(0, &manners, &folder).await;
        Self {
            address,
            manners,
            child,
            folder,
        }
    }

    /// Where it listens, now and after it was opened again.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// End it at once, with whatever it is doing.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// Start it again where it was, after it was killed.
    pub(crate) async fn reopen(&mut self) {
        let port = self.address.port();
        (self.child, _) = start(port, &self.manners, &self.folder).await;
    }

    /// Let it stand still: the system still takes connections for it.
    pub(crate) fn pause(&self) {
        signal(self.child.id(), libc::SIGSTOP);
    }

    /// Let it go on.
    pub(crate) fn resume(&self) {
        signal(self.child.id(), libc::SIGCONT);
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // SIGKILL ends a paused process too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn start(port: u16, manners: &[String], folder: &TempDir) -> (Child, SocketAddr) {
    let port = port.to_string();
    let mut arguments = vec!["backend", "--port", &port];
    arguments.extend(manners.iter().map(String::as_str));
    let (child, log) = spawn(&arguments, folder.path());
    let mut address = None;
    within(STARTING, "the server listens", async || {
        address = told(&log);
        address.is_some()
    })
    .await;
    (child, address.expect("it listens"))
}

fn told(log: &Log) -> Option<SocketAddr> {
    let log = log.lock().expect("no panic");
    let (_, rest) = log.split_once(LISTENS)?;
    rest.split_once(' ')?.0.parse().ok()
}
