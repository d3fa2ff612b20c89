//! What the tests share: running the program, and reading what it says.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

/// How long to wait for a line that must come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Nothing of the caller's environment decides, and every cache is the test's.
pub(crate) fn gatewright(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright"));
    for variable in [
        "GATEWRIGHT_LOG",
        "PORT",
        "WORKER_COUNT",
        "HEALTH_CHECK_INTERVAL",
        "REDIS_URL",
    ] {
        command.env_remove(variable);
    }
    command
        .args(arguments)
        .current_dir(folder.path())
        .env("XDG_CACHE_HOME", folder.path().join("cache"));
    command
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn output(folder: &TempDir, arguments: &[&str]) -> Output {
    gatewright(folder, arguments).output().unwrap()
}

/// The error output of a command that must end with this code.
#[track_caller]
pub(crate) fn fails(folder: &TempDir, arguments: &[&str], code: i32) -> String {
    let output = output(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    errors
}

/// The standard output of a command that must succeed.
#[track_caller]
pub(crate) fn prints(folder: &TempDir, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub(crate) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

pub(crate) fn write(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

/// A configuration on free ports, for a server that need not be there.
pub(crate) fn configuration(more: &str) -> String {
    format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[workers]\ncount = 1\n\
         [[listener]]\nlisten = \"127.0.0.1:0\"\n{more}\n\
         [pools.web]\nservers = [\"127.0.0.1:9\"]\n"
    )
}

/// A program that runs until it is told to end; it never outlives the test.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let other = sender.clone();
        std::thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| other.send(line))
        });
        Self { child, lines }
    }

    /// The first line, from here on, that has this in it.
    #[track_caller]
    pub(crate) fn line_with(&self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line with {part:?} ({error}): {seen:#?}"),
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([name, &process])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What follows `name=` or `http://` in a line.
pub(crate) fn value_after<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(name).unwrap();
    rest.split_whitespace().next().unwrap()
}
