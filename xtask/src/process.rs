//! A program that a task started, and ends: by its own process id, asking
//! first.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::cargo::cannot_run;

/// How long a program may take to end after it was asked to.
const END: Duration = Duration::from_secs(5);

/// How long a program may take to be ready: a gateway that compiles a big
/// component on a busy machine takes most of a minute.
pub(crate) const START: Duration = Duration::from_secs(120);

/// How often readiness and end are looked for.
const LOOK: Duration = Duration::from_millis(5);

/// A running program; dropping it ends it.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Start a program, its output going to a file in `folder`.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(crate) fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| cannot_run(command))?;
        Ok(Self { name, child, log })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Wait until `ready` says so.
    ///
    /// # Errors
    ///
    /// When the program ended or was not ready in time; what it printed is in
    /// the error.
    pub(crate) fn until(&mut self, ready: impl Fn() -> bool) -> Result<()> {
        self.within(START, ready)
    }

    /// [`Process::until`], of what takes another time.
    ///
    /// # Errors
    ///
    /// As those of [`Process::until`].
    pub(crate) fn within(&mut self, patience: Duration, ready: impl Fn() -> bool) -> Result<()> {
        let start = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", self.name, self.said());
            }
            if start.elapsed() > patience {
                bail!("{} was not ready in time:\n{}", self.name, self.said());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Wait until it has printed what `find` is looking for.
    ///
    /// # Errors
    ///
    /// As those of [`Process::until`].
    pub(crate) fn printed(&mut self, find: impl Fn(&str) -> Option<String>) -> Result<String> {
        let log = self.log.clone();
        self.until(|| find(&read(&log)).is_some())?;
        find(&self.said()).context("what was printed is there no more")
    }

    /// All that it has printed so far.
    pub(crate) fn said(&self) -> String {
        read(&self.log)
    }

    fn end(&mut self) -> Result<()> {
        let start = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > END {
                self.child.kill()?;
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// One of the gateway's commands, once it listens.
pub(crate) struct Started {
    /// Where it does.
    pub(crate) address: String,
    process: Process,
}

impl Started {
    /// What a gateway's log names its admin listener after.
    pub(crate) const ADMIN: &str = "admin listening address=";

    /// What it names its first listener after.
    pub(crate) const LISTENER: &str = "serving: listening address=";

    /// What a backend's output names its address after.
    pub(crate) const BACKEND: &str = "listens on http://";

    /// Start a command, and wait for the address after `mark`.
    ///
    /// # Errors
    ///
    /// When it does not come to listen.
    pub(crate) fn new(
        program: &Path,
        name: &'static str,
        arguments: &[&str],
        folder: &Path,
        mark: &str,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.current_dir(folder).arg(name).args(arguments);
        command.env("NO_COLOR", "1");
        let mut process = Process::start(name, &mut command, folder)?;
        let address = process.printed(|said| address(said, mark))?;
        Ok(Self { address, process })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// The word after a mark, once its line is whole.
fn address(said: &str, mark: &str) -> Option<String> {
    let (_, rest) = said.split_once(mark)?;
    let (line, _) = rest.split_once('\n')?;
    line.split_whitespace().next().map(str::to_owned)
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

impl Drop for Process {
    fn drop(&mut self) {
        // Reading the status first keeps the signal from a process that has
        // ended, whose id may be another's by now.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        if let Err(error) = self.end() {
            println!("cannot end {}: {error}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Process, Started, address};

    #[test]
    fn an_address_is_read_once_its_line_is_whole() {
        let said = "x listens on http://127.0.0.1:42707 (Ctrl-C ends it)\n";
        assert_eq!(address(said, Started::BACKEND).unwrap(), "127.0.0.1:42707");
        assert_eq!(
            address("admin listening address=127.0.0.1:4", Started::ADMIN),
            None
        );
    }

    #[test]
    fn a_program_that_ends_early_tells_why() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such port >&2; exit 2"]);
        let mut process = Process::start("broken", &mut command, folder.path()).unwrap();
        let error = process.until(|| false).unwrap_err().to_string();
        assert!(error.contains("no such port"), "{error}");
    }

    #[test]
    fn a_program_ends_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        let process = Process::start("sleeper", command.arg("600"), folder.path()).unwrap();
        let entry = format!("/proc/{}", process.id());
        assert!(std::path::Path::new(&entry).exists());
        drop(process);
        assert!(!std::path::Path::new(&entry).exists());
    }
}
