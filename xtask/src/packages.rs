//! What the guide for operators has built beside the plain program, built as it says:
//! a program that needs nothing of the system that it runs on, and a Debian package.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use object::Endianness;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use rustix::process::geteuid;

use crate::cargo::{cargo, output, run, target_folder};
use crate::{tools, workspace};

/// The guide, which has the commands that make the package.
const GUIDE: &str = "docs/deployment.md";

/// The configuration of the image's own example, and where a container has it.
const CONFIG: &str = "examples/docker/config/gatewright.toml";
const INSIDE: &str = "etc/gatewright/gatewright.toml";

/// A scenario that lies beside it for the test.
const SCENARIO: &str = "steady.toml";

/// Where the image has the program, and what the gateway keeps.
const PROGRAM: &str = "usr/local/bin/gatewright";
const DATA: &str = "var/lib/gatewright";

/// The user of the image.
const USER: u32 = 65532;

/// The folders of a container, and their modes: the image's as the Dockerfile makes
/// them, so that what is missing there is missed here, and what Docker adds.
const FOLDERS: [(&str, u32); 6] = [
    ("", 0o755),
    ("etc/gatewright", 0o755),
    ("proc/self", 0o755),
    ("tmp", 0o1777),
    ("usr/local/bin", 0o755),
    (DATA, 0o700),
];

/// What the guide promises of the package.
const PROMISED: [&str; 9] = [
    "usr/bin/gatewright",
    "etc/gatewright/gatewright.toml",
    "etc/logrotate.d/gatewright",
    "usr/lib/systemd/system/gatewright.service",
    "usr/share/man/man1/gatewright.1.gz",
    "usr/share/man/man1/gatewright-run.1.gz",
    "usr/share/bash-completion/completions/gatewright",
    "usr/share/zsh/vendor-completions/_gatewright",
    "usr/share/fish/vendor_completions.d/gatewright.fish",
];

/// Build both, and look whether they are what they should be.
///
/// # Errors
///
/// As those of [`static_program`] and [`debian`].
pub(crate) fn check() -> Result<()> {
    static_program()?;
    debian()
}

/// Build the program as the Dockerfile does, and run it where there is nothing else.
///
/// # Errors
///
/// When it does not build, or needs something of the system.
pub(crate) fn static_program() -> Result<()> {
    tools::need_programs(&[("musl-gcc", "musl-tools")])?;
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    tools::need_target(&target)?;
    println!("building gatewright's release for {target} (the first time takes long)");
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "gatewright"]);
    build.args(["--target", &target]);
    build.env("TARGET_CC", "musl-gcc");
    run(&mut build)?;
    let program = target_folder()?.join(&target).join("release/gatewright");
    let bytes = fs::read(&program).with_context(|| program.display().to_string())?;
    match has_interpreter(&bytes) {
        Some(false) => run_alone(&program),
        Some(true) => bail!("{} is not linked statically", program.display()),
        None => bail!("{} is no program for 64 bits", program.display()),
    }
}

/// Whether something else has to load a program, and its libraries; none of what is
/// no program for 64 bits.
fn has_interpreter(program: &[u8]) -> Option<bool> {
    let header = FileHeader64::<Endianness>::parse(program).ok()?;
    let order = header.endian().ok()?;
    let segments = header.program_headers(order, program).ok()?;
    let mut kinds = segments.iter().map(|segment| segment.p_type(order));
    Some(kinds.any(|kind| kind == PT_INTERP))
}

/// Run a program where there is nothing but what a container of the Dockerfile's image
/// has, and as its user; whoever is root, so that there is nothing but the folder.
fn run_alone(program: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    let is_root = geteuid().is_root();
    if !is_root {
        println!("only root can take the system away from the program: it runs with it");
    }
    lay_out(root, program, is_root)?;
    let gatewright = |arguments: &[&str]| {
        let mut command = if is_root {
            let mut command = Command::new("/usr/sbin/chroot");
            command.arg(format!("--userspec={USER}:{USER}")).arg(root);
            command.arg(Path::new("/").join(PROGRAM));
            // As the image has it; TMPDIR it has none.
            command.env_clear().env("XDG_CACHE_HOME", "/tmp");
            command
        } else {
            let mut command = Command::new(root.join(PROGRAM));
            let temporary = root.join("tmp");
            command.env("XDG_CACHE_HOME", &temporary);
            command.env("TMPDIR", temporary);
            command
        };
        output(command.current_dir(root).args(arguments))
    };
    let version = gatewright(&["--version"])?;
    ensure!(version.starts_with("gatewright "), "it said: {version}");
    let meaning = gatewright(&["check", "-c", INSIDE])?;
    ensure!(meaning.contains(" is right"), "it said: {meaning}");
    // What it compiles it keeps in the user's cache folder, as `plugin certify` does.
    let simulate = ["simulate", SCENARIO, "--policy", "round-robin"];
    let figures = gatewright(&[&simulate[..], &["--requests", "20000"]].concat())?;
    ensure!(figures.contains("round-robin"), "it said: {figures}");
    println!("{} runs alone", version.trim());
    Ok(())
}

/// Make a folder what the root of a container is: the Dockerfile's image, a
/// configuration, and what the kernel shows there.
fn lay_out(root: &Path, program: &Path, is_root: bool) -> Result<()> {
    for (name, mode) in FOLDERS {
        let folder = root.join(name);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(mode))?;
    }
    if is_root {
        chown(root.join(DATA), Some(USER), Some(USER))?;
    }
    fs::copy(program, root.join(PROGRAM))?;
    fs::copy(workspace::root().join(CONFIG), root.join(INSIDE))?;
    let scenario = workspace::root().join("examples/simulate").join(SCENARIO);
    fs::copy(scenario, root.join(SCENARIO))?;
    // The kernel shows every process its own file; plugins are compiled by it.
    symlink(Path::new("/").join(PROGRAM), root.join("proc/self/exe"))?;
    Ok(())
}

/// Make the package by the guide's commands, and look into it.
///
/// # Errors
///
/// When a command fails, or the package lacks what the guide promises.
pub(crate) fn debian() -> Result<()> {
    tools::need_subcommand("deb")?;
    tools::need_programs(&[("dpkg-deb", "dpkg"), ("dpkg-shlibdeps", "dpkg-dev")])?;
    let target = target_folder()?;
    let made = target.join("debian");
    // There may be packages of other versions.
    if made.exists() {
        fs::remove_dir_all(&made)?;
    }
    let guide = fs::read_to_string(workspace::root().join(GUIDE))?;
    let commands = commands(&guide).with_context(|| format!("{GUIDE} makes no package"))?;
    // Builds may go elsewhere than by default.
    let release = format!("{}/release/", target.display());
    let commands = commands.replace("target/release/", &release);
    let mut shell = Command::new("sh");
    shell.current_dir(workspace::root());
    run(shell.args(["-e", "-x", "-c", &commands]))?;
    let package = only_package(&made)?;
    let contents = output(Command::new("dpkg-deb").arg("--contents").arg(&package))?;
    let missing = missing(&contents);
    ensure!(missing.is_empty(), "the package lacks {missing:?}");
    for (part, promised) in [
        ("conffiles", "/etc/gatewright/gatewright.toml"),
        ("conffiles", "/etc/logrotate.d/gatewright"),
        ("postinst", "adduser --system"),
    ] {
        let mut look = Command::new("dpkg-deb");
        let said = output(look.arg("--info").arg(&package).arg(part))?;
        ensure!(said.contains(promised), "{part} lacks {promised}: {said}");
    }
    println!("{} has what is promised", package.display());
    Ok(())
}

/// The guide's commands that make the package, without those that install it.
fn commands(guide: &str) -> Option<String> {
    let blocks = guide.split("```sh\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```").next());
    let block = blocks.find(|block| block.contains("\ncargo deb "))?;
    let lines = block.lines().filter(|line| !line.starts_with("sudo "));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// The one package in a folder.
fn only_package(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "deb") {
            found.push(path);
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        other => bail!("{} has {other} packages", folder.display()),
    }
}

/// What is promised and is not among a package's contents, as dpkg-deb lists them.
fn missing(contents: &str) -> Vec<&'static str> {
    let listed = contents.lines();
    let names = listed.filter_map(|line| line.split(' ').next_back());
    let names: Vec<_> = names.map(|name| name.trim_start_matches("./")).collect();
    let mut promised = PROMISED.to_vec();
    promised.retain(|name| !names.contains(name));
    promised
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DATA, GUIDE, PROGRAM, PROMISED, USER, commands, has_interpreter, missing};
    use crate::deployment::DOCKERFILE;
    use crate::workspace;

    /// A program with segments of these kinds, the lowest byte of numbers first.
    fn program(kinds: &[u8]) -> Vec<u8> {
        let mut program = vec![0_u8; 64 + 56 * kinds.len()];
        program[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        // Where the table of segments is, how long each entry, and how many.
        (program[32], program[54]) = (64, 56);
        program[56] = u8::try_from(kinds.len()).unwrap();
        for (at, kind) in kinds.iter().enumerate() {
            program[64 + 56 * at] = *kind;
        }
        program
    }

    #[test]
    fn a_program_that_something_else_loads_is_known_by_its_segments() {
        assert_eq!(has_interpreter(&program(&[6, 1, 2])), Some(false));
        assert_eq!(has_interpreter(&program(&[6, 1, 3])), Some(true));
        let whole = program(&[6, 1, 3]);
        assert_eq!(has_interpreter(&whole[..70]), None);
        assert_eq!(has_interpreter(b"#!/bin/sh\n"), None);
        let this = fs::read(std::env::current_exe().unwrap()).unwrap();
        let is_loaded = !cfg!(target_feature = "crt-static");
        assert_eq!(has_interpreter(&this), Some(is_loaded));
    }

    #[test]
    fn a_program_runs_alone_in_what_the_dockerfile_makes() {
        let dockerfile = fs::read_to_string(workspace::root().join(DOCKERFILE)).unwrap();
        for made in [
            format!(" /image/{PROGRAM} "),
            "install -d -m 1777 /image/tmp ".to_owned(),
            "install -d -m 0700 /data\n".to_owned(),
            format!(" --chown={USER}:{USER} /data /{DATA}\n"),
            format!("\nUSER {USER}:{USER}\n"),
            "\nENV XDG_CACHE_HOME=/tmp\n".to_owned(),
        ] {
            assert!(dockerfile.contains(&made), "no {made:?} in {dockerfile}");
        }
    }

    #[test]
    fn the_guide_has_the_commands_that_make_the_package() {
        let guide = fs::read_to_string(workspace::root().join(GUIDE)).unwrap();
        let commands = commands(&guide).unwrap();
        assert!(commands.starts_with("cargo build --release "), "{commands}");
        assert!(commands.contains("\ncargo deb "), "{commands}");
        assert!(!commands.contains("sudo"), "{commands}");
    }

    #[test]
    fn what_a_package_lacks_is_told() {
        let line = |name: &&str| format!("-rw-r--r-- root/root 9 2026-01-01 00:00 ./{name}\n");
        let whole: String = PROMISED.iter().map(line).collect();
        assert!(missing(&whole).is_empty());
        let lacking = whole.replace("man1/gatewright-run.1.gz", "man1/gatewright-run.1");
        let lacks = ["usr/share/man/man1/gatewright-run.1.gz"];
        assert_eq!(missing(&lacking), lacks);
    }
}
