//! `cargo xtask test`: everything that must hold before a change lands, from a
//! clean clone, on one profile and in one target folder, so that dependencies
//! are compiled once.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, run, target_folder};
use crate::follow::{self, Counts};
use crate::steps::Steps;
use crate::{
    bench, comparison, dashboard, deployment, fuzz, plugins, python, schemathesis, tidy, tools,
    workspace,
};

/// How long each fuzz target runs here; `cargo xtask verify` takes its time.
const FUZZ_SECONDS: u32 = 10;

/// What the tests run beside the gateway: clients that are not ours, a registry of
/// components, what moves logs away, an authority that gives certificates,
/// Prometheus' checks, a server that gateways share, and a service manager that
/// hands sockets over.
const PROGRAMS: [(&str, &str); 8] = [
    ("curl", "curl"),
    ("docker-registry", "docker-registry"),
    ("logrotate", "logrotate"),
    ("openssl", "openssl"),
    ("pebble", "pebble"),
    ("promtool", "prometheus"),
    ("redis-server", "redis-server"),
    ("systemd-socket-activate", "systemd"),
];

/// What `cargo xtask test` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long to fuzz each target, in seconds
    #[arg(long, default_value_t = FUZZ_SECONDS, value_parser = clap::value_parser!(u32).range(1..))]
    fuzz_seconds: u32,
}

/// Test, and print a summary whatever comes of it.
///
/// # Errors
///
/// That of the step that failed.
pub(crate) fn run_all(arguments: &Arguments) -> Result<()> {
    let mut steps = Steps::default();
    let mut result = all(&mut steps, arguments.fuzz_seconds);
    if tools::has_subcommand("deny") {
        result = result.and_then(|()| steps.step("dependencies", dependencies));
    } else {
        steps.leave_out("cargo-deny is not installed; `cargo xtask verify` installs and runs it");
    }
    steps.summary();
    result
}

/// The steps that `test` and `verify` have in common, the quick ones first.
///
/// # Errors
///
/// That of the first step that fails.
pub(crate) fn all(steps: &mut Steps, fuzz_seconds: u32) -> Result<()> {
    steps.step("tools", || {
        tools::need_component("fmt", "rustfmt")?;
        tools::need_component("clippy", "clippy")?;
        // The book's pages and the README's walk build plugins.
        plugins::need_target()
    })?;
    steps.step("format", || run(cargo().args(["fmt", "--all", "--check"])))?;
    steps.step("tidy", tidy::run)?;
    steps.step("components are current", plugins::check_committed)?;
    steps.step("lints", lints)?;
    steps.tests("tests", tests)?;
    steps.tests("documentation tests", || {
        follow::tests(cargo().args(["test", "--workspace", "--locked", "--doc"]))
    })?;
    steps.step("the comparison is current", comparison::check_briefly)?;
    steps.step("the API by its description", schemathesis::check_api)?;
    steps.step("instructions of a request", bench::guard)?;
    steps.step("what operators deploy", deployment::check)?;
    steps.tests("the dashboard in a browser", dashboard::tests)?;
    steps.tests("components from source", components_from_source)?;
    steps.step("fuzz", || {
        fuzz::run_all(&fuzz::Arguments {
            seconds: fuzz_seconds,
        })
    })
}

/// Licences, sources and duplicate versions of all dependencies. Advisories
/// need a database from the network: that step is the user's (SECURITY.md).
///
/// # Errors
///
/// When cargo-deny objects.
pub(crate) fn dependencies() -> Result<()> {
    run(cargo().args([
        "deny",
        "--all-features",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}

fn lints() -> Result<()> {
    run(cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked"])
        .args(["--", "-D", "warnings"]))
}

/// Every test of the workspace, by nextest where it is installed.
fn tests() -> Result<Counts> {
    tools::need_programs(&PROGRAMS)?;
    // A collector of traces.
    python::environment("xtask/rotel")?;
    let mut command = cargo();
    if tools::has_subcommand("nextest") {
        command
            .args([
                "nextest",
                "run",
                "--workspace",
                "--locked",
                "--no-fail-fast",
            ])
            // A test that hangs is ended, so that the whole run has an end.
            .args(["--config-file", "xtask/nextest.toml"]);
    } else {
        println!("cargo-nextest is not installed: running `cargo test`, which is slower");
        command
            .args(["test", "--workspace", "--locked", "--no-fail-fast"])
            .args(["--lib", "--bins", "--tests"]);
    }
    let counts = follow::tests(&mut command)?;
    if counts.passed == 0 {
        bail!("no test ran");
    }
    Ok(counts)
}

/// Kill a gateway 200 times while it is being changed.
///
/// # Errors
///
/// When a change was lost or half made.
pub(crate) fn kills() -> Result<()> {
    run(cargo().env("KILLS", "200").args([
        "test",
        "--workspace",
        "--locked",
        "--test",
        "e2e",
        "whenever_it_is_killed",
    ]))
}

/// Kill, pause and restart servers, change everything and replace the gateway
/// itself, for a minute each: nobody may go without an answer.
///
/// # Errors
///
/// When somebody did.
pub(crate) fn chaos() -> Result<()> {
    run(cargo()
        .env("CHAOS_SECONDS", "60")
        .args([
            "test",
            "--workspace",
            "--locked",
            "--test",
            "e2e",
            "chaos::",
        ])
        .args(["--", "--test-threads", "1", "--nocapture"]))
}

/// Build the components anew. Where the bytes are those that are committed, the
/// tests have run on them; where another compiler gave others, the tests run
/// again with those in the committed ones' place.
fn components_from_source() -> Result<Counts> {
    let rebuilt = target_folder()?.join("components");
    plugins::build_into(&rebuilt)?;
    let committed = workspace::root().join(plugins::FOLDER);
    let differing = differing_components(&committed, &rebuilt)?;
    if differing.is_empty() {
        println!("byte for byte the committed ones, which the tests ran on");
        return Ok(Counts::default());
    }
    println!(
        "this compiler gives other bytes for {}: testing again on those",
        differing.join(", ")
    );
    let _restored = Stand::of(&committed, &rebuilt, &differing)?;
    tests()
}

/// The names of files that differ between two folders of components.
fn differing_components(committed: &Path, rebuilt: &Path) -> Result<Vec<String>> {
    let mut differing = Vec::new();
    for entry in fs::read_dir(committed)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".wasm") {
            continue;
        }
        let new =
            fs::read(rebuilt.join(&name)).with_context(|| format!("{name} is not rebuilt"))?;
        if fs::read(committed.join(&name))? != new {
            differing.push(name);
        }
    }
    Ok(differing)
}

/// Rebuilt components in the place of the committed ones, for as long as it
/// lives.
struct Stand {
    committed: Vec<(std::path::PathBuf, Vec<u8>)>,
}

impl Stand {
    fn of(committed: &Path, rebuilt: &Path, names: &[String]) -> Result<Self> {
        let mut stand = Self {
            committed: Vec::new(),
        };
        // The manifest goes along, for it holds the components' digests.
        for name in names.iter().map(String::as_str).chain(["manifest.toml"]) {
            let file = committed.join(name);
            let bytes = fs::read(&file)?;
            stand.committed.push((file.clone(), bytes));
            fs::copy(rebuilt.join(name), file)?;
        }
        Ok(stand)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        for (file, bytes) in &self.committed {
            if let Err(error) = fs::write(file, bytes) {
                println!("cannot restore {}: {error}", file.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Stand, differing_components};

    #[test]
    fn rebuilt_components_stand_in_only_for_the_tests() {
        let folder = tempfile::tempdir().unwrap();
        let [committed, rebuilt] = ["committed", "rebuilt"].map(|name| folder.path().join(name));
        for (place, text) in [(&committed, "old"), (&rebuilt, "new")] {
            fs::create_dir(place).unwrap();
            fs::write(place.join("same.wasm"), "same").unwrap();
            fs::write(place.join("other.wasm"), text).unwrap();
            fs::write(place.join("manifest.toml"), text).unwrap();
        }
        let read = || fs::read_to_string(committed.join("other.wasm")).unwrap();
        let differing = differing_components(&committed, &rebuilt).unwrap();
        assert_eq!(differing, ["other.wasm"]);
        let stand = Stand::of(&committed, &rebuilt, &differing).unwrap();
        assert_eq!(read(), "new");
        drop(stand);
        assert_eq!(read(), "old");
    }
}
