//! The admin API asked from outside, by its own description: schemathesis sends
//! what the OpenAPI document allows and what it forbids to a running gateway, and
//! looks for answers that the document does not know.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::cargo::{output, program, run, target_folder};
use crate::process::Started;
use crate::{python, workspace};

/// The folder of its configuration, where the pinned version is too.
const FOLDER: &str = "xtask/schemathesis";

/// Ask a gateway of this workspace, on free ports and with a folder of its own.
///
/// # Errors
///
/// When Python is missing, something does not start, or an answer is wrong.
pub(crate) fn check_api() -> Result<()> {
    let python = python::environment(FOLDER)?.join("python");
    let program = program()?;
    let folder = tempfile::tempdir()?;
    let start = |name, arguments: &[&str], mark| {
        Started::new(&program, name, arguments, folder.path(), mark)
    };
    let backend = start("backend", &["--port", "0"], Started::BACKEND)?;
    fs::write(
        folder.path().join("gatewright.toml"),
        configuration(&backend.address),
    )?;
    let token = token(&program, folder.path())?;
    let gateway = start("run", &[], Started::ADMIN)?;
    ask(&python, &gateway.address, &backend.address, &token)
}

/// Two pools that requests go to, and one that may be deleted.
fn configuration(backend: &str) -> String {
    format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n\n\
         [workers]\ncount = 2\n\n\
         [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\n\n\
         [pools.web]\nservers = [\"{backend}\", \"127.0.0.1:1\"]\n\n\
         [pools.api]\nservers = [\"{backend}\"]\n\n\
         [pools.spare]\nservers = [\"{backend}\"]\n\n\
         [router]\nplugin = \"path-router\"\n\
         [router.config]\n\
         routes = [{{ path = \"/api/*\", pool = \"api\" }}, {{ path = \"/*\", pool = \"web\" }}]\n"
    )
}

/// A token that may do everything.
#[derive(Deserialize)]
struct Token {
    id: String,
    token: String,
}

/// Make a token for a gateway that is yet to start.
fn token(program: &Path, folder: &Path) -> Result<Token> {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command.args(["token", "create", "--role", "deploy", "--name", "run"]);
    let made = output(command.args(["--data", "data", "--json"]))?;
    serde_json::from_str(&made).context("cannot understand the token")
}

fn ask(python: &Path, admin: &str, backend: &str, token: &Token) -> Result<()> {
    let mut command = Command::new(python);
    command.current_dir(workspace::root().join(FOLDER));
    command.args(["-m", "schemathesis.cli"]);
    command.args(["--config-file", "schemathesis.toml", "run"]);
    command.arg(format!("http://{admin}/api/openapi.json"));
    // Nothing is written beside the sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.env(
        "HYPOTHESIS_STORAGE_DIRECTORY",
        target_folder()?.join("hypothesis"),
    );
    command.env("GATEWRIGHT_BACKEND", backend);
    command.env("GATEWRIGHT_TOKEN", &token.token);
    command.env("GATEWRIGHT_TOKEN_ID", &token.id);
    run(&mut command)
}
