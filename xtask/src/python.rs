//! Environments of Python, each with packages of pinned versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{run, target_folder};
use crate::{tools, workspace};

/// The name of the file that pins the versions.
const REQUIREMENTS: &str = "requirements.txt";

/// The folder of programs of an environment that has what the `requirements.txt` of a
/// folder of the workspace names; it is made at the first time, and anew for other
/// versions.
///
/// # Errors
///
/// When Python is missing, or a package does not install.
pub(crate) fn environment(folder: &str) -> Result<PathBuf> {
    if !tools::is_on_path("python3") {
        bail!(
            "python3 is missing: install it, on Debian by `apt-get install python3 python3-venv`"
        );
    }
    let wanted = workspace::root().join(folder).join(REQUIREMENTS);
    let name = Path::new(folder).file_name();
    let environment = target_folder()?.join(name.context("it is a folder's name")?);
    let programs = environment.join("bin");
    let has = environment.join(REQUIREMENTS);
    if fs::read(&has).is_ok_and(|has| fs::read(&wanted).is_ok_and(|wanted| wanted == has)) {
        return Ok(programs);
    }
    let made = run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&environment));
    made.context("on Debian, `apt-get install python3-venv` brings what may be missing")?;
    run(Command::new(programs.join("python"))
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(&wanted))?;
    // Last of all, so that half an environment is made anew.
    fs::copy(wanted, has)?;
    Ok(programs)
}
