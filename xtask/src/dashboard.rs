//! The dashboard in a real browser: its tests, and pictures of its pages. What
//! is done there is in `dashboard/tests`; this brings what that needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{output, program, run};
use crate::follow::{self, Counts};
use crate::{bench, tools, workspace};

/// The tests, and the scripts beside them.
const FOLDER: &str = "dashboard/tests";

/// What the tests depend on, to the byte.
const LOCK: &str = "package-lock.json";

/// Where the README's pictures lie.
const IMAGES: &str = "docs/images";

/// The oldest Node that the browser's driver runs on.
const NODE: u32 = 20;

/// The programs that are needed, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 3] = [
    ("node", "nodejs"),
    ("npm", "npm"),
    ("redis-server", "redis-server"),
];

/// Another browser than Debian's is named by this variable.
const BROWSER: (&str, &str) = ("chromium", "chromium");
const BROWSER_VARIABLE: &str = "CHROMIUM";

/// Makes pictures a third as large.
const SHRINKER: (&str, &str) = ("pngquant", "pngquant");

/// Run every test of the dashboard against a gateway of this workspace.
///
/// # Errors
///
/// When Node or a browser is missing and cannot be installed, or nothing ran.
pub(crate) fn tests() -> Result<Counts> {
    let mut command = script(&program()?)?;
    command.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    let counts = follow::tests(&mut command)?;
    if counts.passed == 0 {
        bail!("no test of the dashboard ran");
    }
    Ok(counts)
}

/// [`tests`], by themselves.
///
/// # Errors
///
/// As those of [`tests`], and when one failed.
pub(crate) fn check() -> Result<()> {
    let counts = tests()?;
    if counts.failed > 0 {
        bail!("{} tests of the dashboard failed", counts.failed);
    }
    Ok(())
}

/// Make the README's pictures: every page, light and dark, on a desktop and on
/// a phone, of a gateway that is at work, and Management in a cluster.
///
/// # Errors
///
/// As those of [`tests`], and when a picture cannot be made.
pub(crate) fn screenshots() -> Result<()> {
    tools::need_programs(&[SHRINKER])?;
    // The pages tell how long decisions take.
    let mut command = script(&bench::gatewright(None)?)?;
    let images = workspace::root().join(IMAGES);
    fs::create_dir_all(&images)?;
    run(command.arg("screenshots.js").arg(&images))?;
    let mut bytes = 0;
    for entry in fs::read_dir(&images)? {
        let picture = entry?.path();
        if picture.extension().is_some_and(|ending| ending == "png") {
            shrink(&picture)?;
            bytes += picture.metadata()?.len();
        }
    }
    println!("{IMAGES}: {} KB in all", bytes / 1000);
    Ok(())
}

fn shrink(picture: &Path) -> Result<()> {
    let (program, _) = SHRINKER;
    let mut command = Command::new(program);
    command.args(["--force", "--strip", "--skip-if-larger", "--ext", ".png"]);
    let status = command.arg(picture).status();
    // 98 says that the picture was small already.
    match status.context("cannot run pngquant")?.code() {
        Some(0 | 98) => Ok(()),
        _ => bail!("pngquant cannot read {}", picture.display()),
    }
}

/// Node in the folder of the tests, told which gateway to start.
///
/// # Errors
///
/// As those of [`tests`].
pub(crate) fn script(program: &Path) -> Result<Command> {
    let mut command = Command::new("node");
    command.current_dir(ready()?).env("GATEWRIGHT", program);
    Ok(command)
}

/// Make sure of Node, a browser and the packages; returns the tests' folder.
fn ready() -> Result<PathBuf> {
    tools::need_programs(&PROGRAMS)?;
    if std::env::var_os(BROWSER_VARIABLE).is_none() {
        tools::need_programs(&[BROWSER]).with_context(|| {
            format!("a Chromium elsewhere is named by the variable {BROWSER_VARIABLE}")
        })?;
    }
    let version = output(Command::new("node").arg("--version"))?;
    if major(&version).is_none_or(|major| major < NODE) {
        let version = version.trim();
        bail!(
            "the dashboard's tests need Node {NODE} or newer, and this is {version}: install one \
             from nodejs.org, or a newer Debian's"
        );
    }
    let folder = workspace::root().join(FOLDER);
    let (wanted, has) = (folder.join(LOCK), folder.join("node_modules").join(LOCK));
    if fs::read(&has).is_ok_and(|has| fs::read(&wanted).is_ok_and(|wanted| wanted == has)) {
        return Ok(folder);
    }
    run(Command::new("npm").arg("ci").current_dir(&folder))?;
    // Last of all, so that half an installation is made anew.
    fs::copy(wanted, has)?;
    Ok(folder)
}

/// The first number of `v20.1.0`.
fn major(version: &str) -> Option<u32> {
    let number = version.trim().strip_prefix('v')?;
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn a_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("none"), None);
    }
}
