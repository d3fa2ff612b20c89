//! The program as an installation has it: a link that gateways are started by, in
//! whose place another program can be put while one runs.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::config::Builder;
use super::eventually::eventually;
use super::gateway::Gateway;
use super::run::BINARY;

/// An installed program.
pub(crate) struct Installed(TempDir);

impl Installed {
    /// The program under test.
    pub(crate) fn new() -> Self {
        let installed = Self(tempfile::tempdir().expect("a folder"));
        symlink(&*BINARY, installed.program()).expect("a link");
        installed
    }

    fn program(&self) -> PathBuf {
        self.path("gatewright")
    }

    /// A file beside it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What starts it.
    pub(crate) fn command(&self) -> Command {
        Command::new(self.program())
    }

    /// A gateway that is started by it.
    pub(crate) async fn start(&self, builder: &Builder) -> Gateway {
        let folder = tempfile::tempdir().expect("a folder");
        let file = "gatewright.toml";
        builder.write(&folder.path().join(file));
        Gateway::start_as(self.command(), &["run", "-c", file], folder).await
    }

    /// Put a script in its place.
    pub(crate) fn replace(&self, script: &str) {
        let draft = self.path("draft");
        std::fs::write(&draft, format!("#!/bin/sh\n{script}\n")).expect("a file");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&draft, mode).expect("a file");
        std::fs::rename(draft, self.program()).expect("a file");
    }

    /// Put a program in its place that runs without serving until it is let end.
    pub(crate) fn hold(&self) -> Held {
        let mark = self.path("held");
        let script = format!(
            ": > {0}\nwhile test -e {0}; do sleep 0.05; done",
            mark.display()
        );
        self.replace(&script);
        Held(mark)
    }
}

/// A program that does not come to serve.
pub(crate) struct Held(PathBuf);

impl Held {
    /// Wait until it runs.
    pub(crate) async fn runs(&self) {
        eventually("the new program runs", async || self.0.exists()).await;
    }

    /// Let it end.
    pub(crate) fn ends(self) {
        std::fs::remove_file(self.0).expect("a file");
    }
}
