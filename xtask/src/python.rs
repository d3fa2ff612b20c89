//! Programs that come from PyPI, each in an environment of its own below the target
//! folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{run, target_folder};
use crate::{tools, workspace};

/// The name of the file that pins versions, in a program's folder beside the sources.
const REQUIREMENTS: &str = "requirements.txt";

/// The Python of an environment `name` that has what `xtask/NAME` requires; it is
/// made at the first time, and anew for other versions.
///
/// # Errors
///
/// When Python is missing, or something does not install.
pub(crate) fn environment(name: &str) -> Result<PathBuf> {
    if !tools::is_on_path("python3") {
        bail!(
            "python3 is missing, which {name} needs: install it, on Debian by `apt-get install \
             python3 python3-venv`"
        );
    }
    let wanted = workspace::root()
        .join("xtask")
        .join(name)
        .join(REQUIREMENTS);
    let environment = target_folder()?.join(name);
    let python = environment.join("bin/python");
    let has = environment.join(REQUIREMENTS);
    if is_same(&has, &wanted) {
        return Ok(python);
    }
    let made = run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&environment));
    made.context("on Debian, `apt-get install python3-venv` brings what may be missing")?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(&wanted))?;
    // Last of all, so that half an environment is made anew.
    fs::copy(wanted, has)?;
    Ok(python)
}

fn is_same(one: &Path, other: &Path) -> bool {
    fs::read(one).is_ok_and(|one| fs::read(other).is_ok_and(|other| one == other))
}
