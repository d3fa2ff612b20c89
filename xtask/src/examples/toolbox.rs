//! What the examples are built with, in `target/examples/`: nothing is
//! installed elsewhere but Debian's packages, which are named.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::language::{Language, Need};
use crate::cargo::{cargo, run, target_folder};
use crate::{plugins, tools};

/// Versions that the examples are known to build with.
const WASM_TOOLS: &str = "wasm-tools@1.263.0";
const WIT_BINDGEN: &str = "wit-bindgen-cli@0.63.0";

/// The folder of tools.
pub(super) struct Toolbox {
    folder: PathBuf,
}

impl Toolbox {
    /// The toolbox in the target folder, made when it is not there.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub(super) fn open() -> Result<Self> {
        let folder = target_folder()?.join("examples");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Build a language's example from clean, bringing what is missing.
    ///
    /// # Errors
    ///
    /// When a tool cannot be brought, or the build fails.
    pub(super) fn build(&self, language: &Language, folder: &Path) -> Result<()> {
        for need in language.needs {
            self.bring(*need, language.name, folder)?;
        }
        let made = folder.join("target");
        if made.exists() {
            fs::remove_dir_all(&made)?;
        }
        let [program, arguments @ ..] = language.build else {
            anyhow::bail!("no command builds it");
        };
        if *program == "make" {
            tools::need_programs(&[("make", "make")])?;
        }
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(folder)
            .env("PATH", self.path(language.name)?)
            .env("CARGO_TARGET_DIR", &made);
        run(&mut command)
    }

    /// Make sure that a tool is there.
    fn bring(&self, need: Need, language: &str, folder: &Path) -> Result<()> {
        match need {
            Need::RustTarget => plugins::need_target(),
            Need::PythonPackages => self.python_packages(&folder.join("requirements.txt")),
            Need::NodePackages => self.node_packages(language, folder),
            Need::WasmTools => {
                let features = "component,parse,print,strip,validate";
                self.cargo_install("wasm-tools", WASM_TOOLS, features)
            }
            Need::WitBindgen => self.cargo_install("wit-bindgen", WIT_BINDGEN, "c,cpp"),
        }
    }

    fn python_packages(&self, requirements: &Path) -> Result<()> {
        let environment = self.folder.join("python");
        if !environment.exists() {
            tools::need_programs(&[("python3", "python3-venv")])?;
            println!("making a Python environment in {}", environment.display());
            run(Command::new("python3")
                .args(["-m", "venv"])
                .arg(&environment))?;
        }
        let mut command = Command::new(environment.join("bin/pip"));
        command.args(["install", "--quiet", "--disable-pip-version-check", "-r"]);
        run(command.arg(requirements))
    }

    /// Install what a lock file says, beside a copy of it. It is done again
    /// when the lock file has changed.
    fn node_packages(&self, language: &str, folder: &Path) -> Result<()> {
        let place = self.node_folder(language);
        let installed = place.join("installed.json");
        let wanted = fs::read(folder.join("package-lock.json"))?;
        if fs::read(&installed).is_ok_and(|lock| lock == wanted) {
            return Ok(());
        }
        tools::need_programs(&[("npm", "npm")])?;
        println!("installing packages of npm in {}", place.display());
        fs::create_dir_all(&place)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(folder.join(file), place.join(file))?;
        }
        let mut command = Command::new("npm");
        command.args(["install", "--no-audit", "--no-fund"]);
        run(command.current_dir(&place))?;
        fs::write(&installed, wanted).context("cannot note what is installed")
    }

    /// Where the packages of npm are for a language.
    pub(super) fn node_folder(&self, language: &str) -> PathBuf {
        self.folder.join("npm").join(language)
    }

    fn cargo_install(&self, program: &str, package: &str, features: &str) -> Result<()> {
        if self.folder.join("bin").join(program).is_file() {
            return Ok(());
        }
        println!("building {package} (some minutes, once)");
        let mut command = cargo();
        command
            .args(["install", package, "--locked", "--no-default-features"])
            .args(["--features", features, "--root"])
            .arg(&self.folder)
            // Not beside the workspace's own builds, which have other features.
            .env("CARGO_TARGET_DIR", self.folder.join("build"));
        run(&mut command)
    }

    /// Where projects outside of the repository are built by cargo.
    pub(super) fn build_folder(&self) -> PathBuf {
        self.folder.join("projects")
    }

    /// The search path with this toolbox in front.
    pub(super) fn path(&self, language: &str) -> Result<OsString> {
        let own = [
            self.folder.join("bin"),
            self.folder.join("python/bin"),
            self.node_folder(language).join("node_modules/.bin"),
        ];
        let before = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(own.into_iter().chain(std::env::split_paths(&before)))
            .context("the search path has a character that it cannot have")
    }
}
