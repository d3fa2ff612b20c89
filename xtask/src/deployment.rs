//! The examples for operators, held against the programs that they are written for:
//! manifests against Kubernetes' schemas, Compose files against Compose's, the
//! Dockerfile by hadolint, and the shoppers of Locust walking through a real gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cargo::{output, program, run};
use crate::process::Started;
use crate::{python, workspace};

/// What pins the programs.
const FOLDER: &str = "xtask/deployment";

/// What makes the image.
pub(crate) const DOCKERFILE: &str = "examples/docker/Dockerfile";

const COMPOSE: [&str; 2] = [
    "examples/docker/compose.yaml",
    "examples/docker/cluster/compose.yaml",
];

const MANIFESTS: &str = "examples/kubernetes";

/// The oldest Kubernetes that the guide names, and the newest whose schemas there are.
const KUBERNETES: [&str; 2] = ["1.30", "1.37"];

const LOCUST: &str = "examples/load/locustfile.py";

/// How long its shoppers walk: on a busy machine its own start takes some seconds of it.
const RUN: &str = "10s";

/// Check everything.
///
/// # Errors
///
/// When Python is missing, or one of the programs objects.
pub(crate) fn check() -> Result<()> {
    let programs = python::environment(FOLDER)?;
    let command = |name: &str| {
        let mut command = Command::new(programs.join(name));
        command.current_dir(workspace::root());
        command
    };
    let manifests = manifests()?;
    for version in KUBERNETES {
        let mut validate = command("kubernetes-validate");
        validate.args(["--strict", "--kubernetes-version", version]);
        run(validate.args(&manifests))?;
    }
    let mut compose = command("check-jsonschema");
    run(compose
        .args(["--builtin-schema", "vendor.compose-spec"])
        .args(COMPOSE))?;
    // A pinned version of a package is gone from Debian with the next one.
    run(command("hadolint").args(["--ignore", "DL3008", DOCKERFILE]))?;
    load(command("locust"))
}

/// Every manifest.
fn manifests() -> Result<Vec<PathBuf>> {
    let folder = workspace::root().join(MANIFESTS);
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
    if found.is_empty() {
        bail!("{MANIFESTS} has no manifest");
    }
    Ok(found)
}

/// What Locust tells of requests of a kind.
#[derive(Deserialize)]
struct Asked {
    num_requests: u64,
    num_failures: u64,
}

/// Have some shoppers walk through the shop behind a gateway, for some seconds.
fn load(mut locust: Command) -> Result<()> {
    let program = program()?;
    let folder = tempfile::tempdir()?;
    let (gateway, _backend) = gateway(&program, folder.path())?;
    let figures = folder.path().join("figures");
    locust.args(["--locustfile", LOCUST, "--headless", "--only-summary"]);
    locust.args(["--users", "5", "--spawn-rate", "5", "--run-time", RUN]);
    locust.args(["--host", &format!("http://{}", gateway.address)]);
    locust.arg("--json-file").arg(&figures);
    let said = output(&mut locust)?;
    let told = fs::read_to_string(figures.with_extension("json"))
        .with_context(|| format!("Locust told no figures:\n{said}"))?;
    let asked: Vec<Asked> = serde_json::from_str(&told)
        .with_context(|| format!("Locust's figures cannot be understood:\n{told}"))?;
    let requests: u64 = asked.iter().map(|one| one.num_requests).sum();
    let failures: u64 = asked.iter().map(|one| one.num_failures).sum();
    if requests == 0 || failures > 0 {
        bail!("of {requests} requests of Locust {failures} failed:\n{said}");
    }
    println!("Locust: {requests} requests, none failed");
    Ok(())
}

/// A gateway in front of a shop's server.
fn gateway(program: &Path, folder: &Path) -> Result<(Started, Started)> {
    let arguments = ["--port", "0"];
    let backend = Started::new(program, "backend", &arguments, folder, Started::BACKEND)?;
    let any = "127.0.0.1:0";
    let arguments = [
        "--listen",
        any,
        "--admin",
        any,
        "--data",
        "data",
        "--to",
        &backend.address,
    ];
    let gateway = Started::new(program, "proxy", &arguments, folder, Started::LISTENER)?;
    Ok((gateway, backend))
}
