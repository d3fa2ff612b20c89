//! `gatewright plugin build`: the tool that a project is built with, found by
//! the project's files; what is missing is said with how to get it.

mod tools;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::{Value, json};

use self::tools::Tools;
use crate::cli::api::ApiOptions;
use crate::ending::usage;

/// Where a Python project's tools are.
const ENVIRONMENT: &str = ".venv/bin";

/// Where every build's components are put.
const TARGET: &str = "target";

/// How a component begins; a core module has another version.
const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

/// What `gatewright plugin build` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A Cargo.toml is built by cargo, a package.json by npm, a Makefile by make. The
components are then in the folder target. Nothing is installed: what is missing
is named with the command that brings it.

Examples:
  gatewright plugin build
  gatewright plugin build ../near")]
pub(super) struct BuildOptions {
    /// The project.
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
}

/// What a project is built with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Builder {
    Cargo,
    Npm,
    Make,
}

pub(super) fn run(api: &ApiOptions, options: &BuildOptions) -> anyhow::Result<()> {
    let folder = &options.folder;
    let builder = builder(folder).map_err(usage)?;
    let path = path(folder)?;
    missing(builder, folder, &Tools::on(&path))?;
    let components = match builder {
        Builder::Cargo => by_cargo(folder, &path)?,
        Builder::Npm => by("npm", &["run", "build"], folder, &path)?,
        Builder::Make => by("make", &[], folder, &path)?,
    };
    ensure!(
        !components.is_empty(),
        "the build left no component in {TARGET}"
    );
    let data = json!({ "components": components });
    api.print(&data, words)
}

fn words(data: &Value) -> String {
    let built = data["components"].as_array().into_iter().flatten();
    let lines = built.filter_map(Value::as_str).map(|file| {
        format!("built {file}; `gatewright plugin check {file}` tells what a gateway says of it\n")
    });
    lines.collect()
}

fn builder(folder: &Path) -> anyhow::Result<Builder> {
    let files = [
        ("Cargo.toml", Builder::Cargo),
        ("package.json", Builder::Npm),
        ("Makefile", Builder::Make),
    ];
    let found = files.iter().find(|(file, _)| folder.join(file).is_file());
    found.map(|(_, builder)| *builder).ok_or_else(|| {
        anyhow!(
            "{} is no project: it has no Cargo.toml, package.json or Makefile; \
             `gatewright plugin new NAME` makes one",
            folder.display()
        )
    })
}

/// The search path, with a project's own tools in front.
fn path(folder: &Path) -> anyhow::Result<OsString> {
    let own = env::current_dir()?.join(folder).join(ENVIRONMENT);
    let before = env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(own).chain(env::split_paths(&before));
    env::join_paths(paths).context("the search path has a character that it cannot have")
}

/// Fail when something that the build needs is not there.
fn missing(builder: Builder, folder: &Path, tools: &Tools) -> anyhow::Result<()> {
    let read = |file| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let mut missing = match builder {
        Builder::Cargo => tools.missing(&["cargo", "rustc"]),
        Builder::Npm => tools.missing_in("npm", &read("package.json")),
        Builder::Make => tools.missing_in("make", &read("Makefile")),
    };
    match builder {
        // Without rustc nobody knows.
        Builder::Cargo if missing.is_empty() && !tools.has_wasm_target(folder) => {
            missing.push("Rust's target: rustup target add wasm32-unknown-unknown".to_owned());
        }
        Builder::Npm if !folder.join("node_modules").exists() => {
            missing.push("the packages in package.json: npm install".to_owned());
        }
        _ => {}
    }
    let place = match folder == Path::new(".") {
        true => String::new(),
        false => format!(", in {}", folder.display()),
    };
    match missing.is_empty() {
        true => Ok(()),
        false => bail!("to build it, get first{place}\n{}", missing.join("\n")),
    }
}

/// Run a tool in a folder; the components that it leaves in its target: those
/// that are new, or where all were up to date, all.
fn by(
    program: &str,
    arguments: &[&str],
    folder: &Path,
    path: &OsStr,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env("PATH", path);
    // What is printed here is for programs.
    let before = components(folder).unwrap_or_default();
    let status = command.stdout(io_of_errors()?).status();
    let status = status.with_context(|| format!("cannot run {program}"))?;
    ensure!(status.success(), "{program} ended with {status}");
    let mut left = components(folder).context("the build left no target folder")?;
    let is_new = |file: &(PathBuf, _)| !before.contains(file);
    if left.iter().any(is_new) {
        left.retain(is_new);
    }
    Ok(left.into_iter().map(|(file, _)| file).collect())
}

/// The components in a project's target, and when each was written.
fn components(folder: &Path) -> io::Result<Vec<(PathBuf, SystemTime)>> {
    let mut components = Vec::new();
    for entry in fs::read_dir(folder.join(TARGET))? {
        let entry = entry?;
        let file = entry.path();
        if fs::read(&file).is_ok_and(|bytes| bytes.starts_with(&COMPONENT)) {
            components.push((plainly(file), entry.metadata()?.modified()?));
        }
    }
    components.sort();
    Ok(components)
}

/// The error output, for what a tool prints.
fn io_of_errors() -> anyhow::Result<Stdio> {
    let errors = io::stderr().as_fd().try_clone_to_owned()?;
    Ok(errors.into())
}

/// Build a package with cargo, wherever cargo puts it, and copy the component to
/// where every other language has it.
fn by_cargo(folder: &Path, path: &OsStr) -> anyhow::Result<Vec<PathBuf>> {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--target", tools::TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        .env("PATH", path);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "cargo ended with {}",
        output.status
    );
    let mut components = Vec::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let files = message["filenames"].as_array().into_iter().flatten();
        let files = files.filter_map(Value::as_str).map(Path::new);
        for file in files.filter(|file| file.extension().is_some_and(|is| is == "wasm")) {
            components.push(beside(folder, file)?);
        }
    }
    Ok(components)
}

/// Copy what cargo made to the project's own target folder, named as the
/// package is.
fn beside(folder: &Path, file: &Path) -> anyhow::Result<PathBuf> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let copy = folder
        .join(TARGET)
        .join(format!("{}.wasm", stem.replace('_', "-")));
    fs::create_dir_all(folder.join(TARGET))?;
    // Whoever watches the file never sees half of it.
    let part = copy.with_extension("part");
    fs::copy(file, &part)
        .and_then(|_| fs::rename(&part, &copy))
        .with_context(|| format!("cannot write {}", copy.display()))?;
    Ok(plainly(copy))
}

/// A path as one would type it.
fn plainly(path: PathBuf) -> PathBuf {
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_known_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let error = builder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("gatewright plugin new"), "{error}");
        for (file, expected) in [
            ("Makefile", Builder::Make),
            ("package.json", Builder::Npm),
            ("Cargo.toml", Builder::Cargo),
        ] {
            fs::write(folder.path().join(file), "").unwrap();
            assert_eq!(builder(folder.path()).unwrap(), expected);
        }
    }

    #[test]
    fn a_build_has_made_what_is_new_of_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join(TARGET);
        fs::create_dir(&target).unwrap();
        fs::write(target.join("old.wasm"), COMPONENT).unwrap();
        let path = env::var_os("PATH").unwrap();
        let built = |lines: &str| {
            let built = by("sh", &["-c", lines], folder.path(), &path).unwrap();
            let names = built
                .iter()
                .map(|file| file.file_name().unwrap().to_owned());
            names.collect::<Vec<_>>()
        };
        let copy = "cp target/old.wasm target/new.wasm; echo core > target/new.core.wasm";
        assert_eq!(built(copy), ["new.wasm"]);
        assert_eq!(built("true"), ["new.wasm", "old.wasm"], "all up to date");
    }

    #[test]
    fn everything_that_is_missing_is_named_with_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let makefile = "# as good as any\nall:\n\tpython-zig build\n\twasm-tools component new\n";
        fs::write(folder.path().join("Makefile"), makefile).unwrap();
        let nothing = Tools::on(folder.path().as_os_str());
        let error = missing(Builder::Make, folder.path(), &nothing).unwrap_err();
        let error = error.to_string();
        let place = format!("in {}", folder.path().display());
        for part in [
            "make",
            "requirements.txt",
            "cargo install wasm-tools@",
            "python3: from",
            &place,
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        for part in ["wit-bindgen", "go.dev"] {
            assert!(!error.contains(part), "{part}: {error}");
        }
        fs::write(folder.path().join("Makefile"), "all:\n\tgo build\n").unwrap();
        let error = missing(Builder::Make, folder.path(), &nothing).unwrap_err();
        assert!(error.to_string().contains("go.dev"), "{error}");
    }
}
