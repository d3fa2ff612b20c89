//! Which compiler builds the guests: the first that is there, or that can be
//! brought here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What the guests are compiled for. `wasm32-wasip2` would do too, but there
/// the standard library imports WASI, which no default plugin needs.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler for the browser target, and the library's source.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src";

/// A way to run cargo for [`TARGET`].
pub(super) enum Toolchain {
    /// The one at hand has the target.
    Installed,
    /// Debian's, which builds the standard library from source.
    Debian,
}

impl Toolchain {
    /// The first toolchain that is there; otherwise one that is installed now,
    /// saying so.
    ///
    /// # Errors
    ///
    /// When none is there and none can be installed.
    pub(super) fn find() -> Result<Self> {
        if has_target()? {
            return Ok(Self::Installed);
        }
        println!("the target {TARGET} is missing: running `rustup target add {TARGET}`");
        if succeeds("rustup", &["target", "add", TARGET]) && has_target()? {
            return Ok(Self::Installed);
        }
        if has_debian() {
            return Ok(Self::Debian);
        }
        println!(
            "rustup cannot: running `apt-get install {}`",
            DEBIAN_PACKAGES.join(" ")
        );
        let mut arguments = vec!["install", "--yes"];
        arguments.extend(DEBIAN_PACKAGES);
        if succeeds("apt-get", &arguments) && has_debian() {
            return Ok(Self::Debian);
        }
        bail!("no compiler for {TARGET}: run `rustup target add {TARGET}` and try again");
    }

    /// `cargo build` for the target, with the standard library that it needs.
    pub(super) fn cargo_build(&self) -> Command {
        let mut command = match self {
            Self::Installed => Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into())),
            Self::Debian => Command::new(DEBIAN_CARGO),
        };
        command.args(["build", "--target", TARGET]);
        if let Self::Debian = self {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC", DEBIAN_RUSTC)
                // The library's source is the compiler's own, so an unstable
                // option of cargo is all that is borrowed.
                .env("RUSTC_BOOTSTRAP", "1");
        }
        command
    }

    /// Where the standard library's sources are said to be in messages.
    pub(super) fn library_source(&self) -> Result<PathBuf> {
        match self {
            Self::Installed => sysroot(),
            Self::Debian => Ok(DEBIAN_SOURCE.into()),
        }
    }
}

fn has_target() -> Result<bool> {
    Ok(sysroot()?.join("lib/rustlib").join(TARGET).is_dir())
}

fn has_debian() -> bool {
    [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_SOURCE]
        .iter()
        .all(|path| Path::new(path).exists())
}

fn sysroot() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .context("cannot run rustc")?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).status();
    status.is_ok_and(|status| status.success())
}
