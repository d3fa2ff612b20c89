//! Calling cargo from a task, and what it tells of the workspace.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace;

/// The cargo that runs this task, in the workspace's root folder.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command
}

/// Run a command, showing what it prints.
///
/// # Errors
///
/// When it cannot be started, or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Run a command and hand over what it printed to standard output.
///
/// # Errors
///
/// When it cannot be started, or does not succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| cannot_run(command))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {said}", line(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Why a command that is not there could not be run.
pub(crate) fn cannot_run(command: &Command) -> String {
    format!("cannot run `{}`", line(command))
}

/// A command as one would type it; the program by its bare name.
fn line(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What `cargo metadata` tells, as far as the tasks read it.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    /// Every package in the workspace's tree.
    pub(crate) packages: Vec<Package>,
    /// Where builds go.
    pub(crate) target_directory: PathBuf,
    /// Who depends on whom; none where only the workspace was asked for.
    pub(crate) resolve: Option<Resolve>,
}

/// A package of the tree.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The tree of packages.
#[derive(Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package and what it is built with.
#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<Dependency>,
}

/// An edge of the tree.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<DependencyKind>,
}

/// Why an edge is there.
#[derive(Deserialize)]
pub(crate) struct DependencyKind {
    /// `dev`, `build`, or none for a plain dependency.
    pub(crate) kind: Option<String>,
}

/// The workspace with its whole tree of dependencies.
///
/// # Errors
///
/// When cargo cannot tell, or the lock file is out of date.
pub(crate) fn metadata() -> Result<Metadata> {
    read_metadata(&[])
}

/// The folder that builds go to.
///
/// # Errors
///
/// When cargo cannot tell.
pub(crate) fn target_folder() -> Result<PathBuf> {
    Ok(read_metadata(&["--no-deps"])?.target_directory)
}

/// The program, built beside the tests: with the same features of what it
/// depends on, so that none of that is compiled a second time.
///
/// # Errors
///
/// When it does not build.
pub(crate) fn program() -> Result<PathBuf> {
    let targets = ["--lib", "--bins", "--tests"];
    run(cargo()
        .args(["build", "--workspace", "--locked"])
        .args(targets))?;
    Ok(target_folder()?.join("debug/gatewright"))
}

fn read_metadata(arguments: &[&str]) -> Result<Metadata> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]);
    let text = output(command.args(arguments))?;
    serde_json::from_str(&text).context("cannot understand cargo's metadata")
}
