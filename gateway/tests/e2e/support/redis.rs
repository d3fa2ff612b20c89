//! A Redis server of a test's own, which ends with it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::eventually::eventually;

/// A running server that keeps nothing on the disk.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Redis {
    /// Start one on a port that is free.
    pub(crate) async fn start() -> Self {
        let probe = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = probe.local_addr().expect("an address").port();
        drop(probe);
        let folder = tempfile::tempdir().expect("a folder");
        let mut redis = Self {
            child: run(port, &folder),
            port,
            folder,
        };
        redis.answers().await;
        redis
    }

    /// End it at once, as a power failure does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// Start it again where it was, with nothing in it.
    pub(crate) async fn restart_empty(&mut self) {
        self.child = run(self.port, &self.folder);
        self.answers().await;
    }

    /// Where it is, as a configuration has it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// What it answers to a command, by line.
    pub(crate) fn ask(&self, command: &[&str]) -> Vec<String> {
        let port = self.port.to_string();
        let asking = Command::new("redis-cli")
            .args(["-p", &port])
            .args(command)
            .output();
        let answer = asking.expect("redis-cli is installed").stdout;
        String::from_utf8_lossy(&answer)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    async fn answers(&mut self) {
        eventually("the Redis server answers", async || {
            let has_ended = self.child.try_wait().expect("it is our child");
            assert_eq!(has_ended, None, "the port was taken");
            self.ask(&["PING"]) == ["PONG"]
        })
        .await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(port: u16, folder: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
