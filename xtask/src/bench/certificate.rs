//! One self-signed certificate that all proxies present, so that their TLS
//! handshakes and ciphers are the same.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cargo::output;

/// Write `certificate.pem`, `key.pem` and, for HAProxy, both in `both.pem`.
///
/// # Errors
///
/// When openssl fails.
pub(super) fn make(folder: &Path) -> Result<()> {
    let mut command = Command::new("openssl");
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"]);
    output(&mut command)?;
    let read = |name: &str| {
        fs::read_to_string(folder.join(name)).with_context(|| format!("openssl wrote no {name}"))
    };
    let both = read("certificate.pem")? + &read("key.pem")?;
    fs::write(folder.join("both.pem"), both)?;
    Ok(())
}
