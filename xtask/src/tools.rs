//! The programs that tasks need beside cargo: found, or installed where that may
//! be done, saying so.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::cargo::{cargo, output, run};

/// Whether cargo has a subcommand, such as `nextest`.
pub(crate) fn has_subcommand(name: &str) -> bool {
    quietly(cargo().args([name, "--version"]))
}

fn quietly(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Make sure that a component of the toolchain is there.
///
/// # Errors
///
/// When it is missing and rustup cannot bring it.
pub(crate) fn need_component(subcommand: &str, component: &str) -> Result<()> {
    if has_subcommand(subcommand) {
        return Ok(());
    }
    println!("{component} is missing: running `rustup component add {component}`");
    run(Command::new("rustup").args(["component", "add", component]))
}

/// Make sure that the toolchain can build for a target.
///
/// # Errors
///
/// When it cannot, and rustup cannot bring what it needs.
pub(crate) fn need_target(target: &str) -> Result<()> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", target]);
    if Path::new(output(&mut rustc)?.trim()).is_dir() {
        return Ok(());
    }
    println!("the target {target} is missing: running `rustup target add {target}`");
    run(Command::new("rustup").args(["target", "add", target]))
}

/// Make sure that cargo has a subcommand, which the package `cargo-NAME` brings.
///
/// # Errors
///
/// When it is missing and does not install.
pub(crate) fn need_subcommand(name: &str) -> Result<()> {
    if has_subcommand(name) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    println!("{package} is missing: running `cargo install {package} --locked` (some minutes)");
    run(cargo().args(["install", &package, "--locked"]))
}

/// Make sure that programs are there, each named with the Debian package that
/// brings it.
///
/// # Errors
///
/// When some are missing and apt-get cannot install them.
pub(crate) fn need_programs(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !is_on_path(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --yes {}", missing.join(" "));
    println!("missing: {}; running `{line}`", missing.join(", "));
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--no-install-recommends"]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        run(command.args(&missing))
    };
    // A new machine may not know the packages yet.
    let updated = || run(Command::new("apt-get").arg("update")).and_then(|()| install());
    if install().or_else(|_| updated()).is_err() {
        bail!("cannot install what is missing: run `{line}` as root and try again");
    }
    Ok(())
}

/// Whether a program is there.
pub(crate) fn is_on_path(program: &str) -> bool {
    // Servers of Debian's lie in a folder that is not on everybody's path.
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths)
        .chain(["/usr/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}
