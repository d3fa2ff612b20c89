//! The examples for services and packages: the unit is one that systemd takes, the
//! rules are such as logrotate takes, and the Debian package is made of files that
//! are there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::formats::{file, text, texts, toml};
use crate::support::{folder, prints, write};

#[test]
fn systemd_takes_the_units() {
    let folder = folder();
    let unit = text("examples/deploy/gatewright.service");
    // By its name, systemd looks for it in its own folders.
    let program = format!("ExecStart={} run", env!("CARGO_BIN_EXE_gatewright"));
    let installed = unit.replace("ExecStart=gatewright run", &program);
    assert_ne!(installed, unit);
    write(&folder, "gatewright.service", installed);
    write(
        &folder,
        "gatewright.socket",
        text("examples/deploy/gatewright.socket"),
    );
    let mut analyze = Command::new("systemd-analyze");
    analyze.current_dir(folder.path()).arg("verify");
    let output = analyze
        .args(["./gatewright.service", "./gatewright.socket"])
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // What it does not know it passes over with a warning.
    assert!(!said.contains("gatewright."), "{said}");
}

/// What a line of the unit says.
#[track_caller]
fn said(unit: &str, key: &str) -> String {
    let mut lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines
        .next()
        .unwrap_or_else(|| panic!("no {key}="))
        .to_owned()
}

#[test]
fn the_unit_agrees_with_the_configuration_beside_it() {
    let unit = text("examples/deploy/gatewright.service");
    let config = toml(&text("examples/deploy/gatewright.toml"));
    let state = format!("/var/lib/{}", said(&unit, "StateDirectory"));
    assert_eq!(config["admin"]["data"], *state);
    let drain = config["timeouts"]["drain"].as_str().unwrap();
    let drain: u64 = drain.strip_suffix('s').unwrap().parse().unwrap();
    assert!(said(&unit, "TimeoutStopSec").parse::<u64>().unwrap() > drain);
    let file = "/etc/gatewright/gatewright.toml";
    assert_eq!(
        said(&unit, "ExecStart"),
        format!("gatewright run -c {file}")
    );
}

const RULES: &str = "examples/deploy/logrotate";

/// What has the gateway open another file.
const REOPEN: &str = "kill --signal=USR1 --kill-whom=main gatewright.service";

/// The file that rules of logrotate are for.
#[track_caller]
fn rotated(rules: &str) -> &str {
    let mut lines = rules.lines();
    lines.find_map(|line| line.strip_suffix(" {")).unwrap()
}

#[test]
fn the_rules_of_logrotate_are_for_the_file_that_the_unit_makes_room_for() {
    let (rules, unit) = (text(RULES), text("examples/deploy/gatewright.service"));
    let log = rotated(&rules);
    let room = format!("/var/log/{}", said(&unit, "LogsDirectory"));
    assert_eq!(log, format!("{room}/access.log"));
    let setting = format!("[access_log] file = \"{log}\"");
    for written in [&rules, &unit] {
        assert!(written.contains(&setting), "{setting} is not in: {written}");
    }
    let mut lines = rules.lines().map(str::trim);
    // It loses lines.
    assert!(lines.clone().all(|line| line != "copytruncate"));
    assert!(lines.any(|line| line == "postrotate"));
    let script = lines.take_while(|line| *line != "endscript");
    let script: Vec<_> = script.filter(|line| !line.starts_with('#')).collect();
    assert_eq!(script, [format!("systemctl {REOPEN} || true")]);
}

/// What logrotate, and what it calls, says about rules that must be right.
#[track_caller]
fn logrotate(folder: &TempDir, rules: &str, way: &str) -> String {
    write(folder, "rules", rules);
    // Those that others may write to it passes over.
    let permissions = Permissions::from_mode(0o644);
    fs::set_permissions(folder.path().join("rules"), permissions).unwrap();
    // Debian puts it where only root's path leads.
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}:/usr/sbin", folder.path().display());
    let mut command = Command::new("logrotate");
    command.current_dir(folder.path()).env("PATH", path);
    let output = command.args(["--state", "state", way, "rules"]).output();
    // `cargo xtask test` installs it.
    let output = output.unwrap_or_else(|error| panic!("logrotate: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "{said}");
    // What it does not know it passes over and says so.
    assert!(!said.contains("error:"), "{said}");
    said
}

#[test]
fn logrotate_takes_the_rules_and_has_the_gateway_open_another_file() {
    let (folder, rules) = (folder(), text(RULES));
    let log = rotated(&rules);
    // In earnest, with a file and a `systemctl` of the test's.
    let here = folder.path().join("access.log");
    let rules_here = rules.replace(log, here.to_str().unwrap());
    write(&folder, "access.log", "a line\n");
    symlink("/bin/echo", folder.path().join("systemctl")).unwrap();
    let said = logrotate(&folder, &rules_here, "--force");
    assert_eq!(said.trim(), REOPEN);
    let moved = fs::read_to_string(folder.path().join("access.log.1")).unwrap();
    assert_eq!(moved, "a line\n", "lines may yet come");
    assert!(!here.exists());
    let said = logrotate(&folder, &rules, "--debug");
    let taken = format!("rotating pattern: {log} ");
    assert!(said.contains(&taken), "{said}");
}

fn package() -> Value {
    let mut manifest = toml(&text("gateway/Cargo.toml"));
    manifest["package"]["metadata"]["deb"].take()
}

#[test]
fn the_package_is_made_of_what_is_there() {
    let package = package();
    let here = |name: &str| file("gateway").join(name);
    let mut installed = Vec::new();
    for asset in package["assets"].as_array().unwrap() {
        let asset = texts(asset);
        let [source, target, mode] = asset[..] else {
            panic!("{asset:?}")
        };
        // What is built is not in the repository.
        if !source.contains("target/") {
            assert!(here(source).is_file(), "{source}");
        }
        assert!(["644", "755"].contains(&mode), "{asset:?}");
        let (_, name) = source.rsplit_once('/').unwrap();
        let whole = match target.strip_suffix('/') {
            Some(folder) => format!("/{folder}/{name}"),
            None => format!("/{target}"),
        };
        installed.push(whole);
    }
    let unit = text("examples/deploy/gatewright.service");
    let config = said(&unit, "ExecStart")
        .rsplit(' ')
        .next()
        .map(str::to_owned);
    let (config, rules) = (config.unwrap(), "/etc/logrotate.d/gatewright");
    assert_eq!(texts(&package["conf-files"]), [&*config, rules]);
    for file in ["/usr/bin/gatewright", &*config, rules] {
        assert!(installed.iter().any(|one| one == file), "{installed:?}");
    }
    assert!(here(texts(&package["license-file"])[0]).is_file());
    let scripts = here(package["maintainer-scripts"].as_str().unwrap());
    for name in ["postinst", "prerm", "postrm"] {
        let script = scripts.join(name);
        let read = Command::new("sh").arg("-n").arg(&script).status().unwrap();
        assert!(read.success(), "{}", script.display());
    }
}

#[test]
fn a_purge_leaves_nothing_of_what_the_unit_has_room_for() {
    let unit = text("examples/deploy/gatewright.service");
    let script = text("examples/deploy/debian/postrm");
    for (above, key) in [
        ("/var/lib", "StateDirectory"),
        ("/var/log", "LogsDirectory"),
    ] {
        let name = said(&unit, key);
        // A dynamic user's folder is the second one, and the first leads there.
        let removed = format!("rm -rf {above}/{name} {above}/private/{name}\n");
        assert!(script.contains(&removed), "no {removed:?} in {script}");
    }
}

#[test]
fn the_package_is_built_from_what_the_guide_makes() {
    let guide = text("docs/deployment.md");
    let package = package();
    for asset in package["assets"].as_array().unwrap() {
        let source = texts(asset)[0];
        if let Some(made) = source.strip_prefix("../") {
            let (folder, _) = made.rsplit_once('/').unwrap();
            let is_made = guide.contains(made) || guide.contains(&format!("--out {folder}"));
            assert!(!made.starts_with("target/") || is_made, "{made}");
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(guide.contains(&format!("completions {shell} >")), "{shell}");
        assert!(!prints(&folder(), &["completions", shell]).is_empty());
    }
}
