//! Cipher suites: those that clients offer, and the one that a proxy agrees on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::cipher_suite;

use crate::bench::scenario::Client;

/// A cipher suite of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::bench) enum CipherSuite {
    #[value(name = "TLS_AES_128_GCM_SHA256")]
    Aes128,
    #[value(name = "TLS_AES_256_GCM_SHA384")]
    Aes256,
    #[value(name = "TLS_CHACHA20_POLY1305_SHA256")]
    Chacha20,
}

use CipherSuite::{Aes128, Aes256, Chacha20};

impl CipherSuite {
    /// Its name, as OpenSSL knows it.
    fn name(self) -> &'static str {
        match self {
            Aes128 => "TLS_AES_128_GCM_SHA256",
            Aes256 => "TLS_AES_256_GCM_SHA384",
            Chacha20 => "TLS_CHACHA20_POLY1305_SHA256",
        }
    }

    /// The same of our own client.
    pub(super) fn own(self) -> SupportedCipherSuite {
        match self {
            Aes128 => cipher_suite::TLS13_AES_128_GCM_SHA256,
            Aes256 => cipher_suite::TLS13_AES_256_GCM_SHA384,
            Chacha20 => cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        }
    }
}

/// What a client offers, the one that it would rather have first.
pub(in crate::bench) fn offered(client: Client, only: Option<CipherSuite>) -> Vec<CipherSuite> {
    match (only, client) {
        (Some(only), _) => vec![only],
        // h2load's own order.
        (None, Client::Http2) => vec![Aes128, Aes256, Chacha20],
        // OpenSSL's, which is wrk's; our own client does as they do.
        (None, _) => vec![Aes256, Chacha20, Aes128],
    }
}

/// A list of them, as programs take it.
pub(super) fn list(suites: &[CipherSuite]) -> String {
    let names: Vec<_> = suites.iter().map(|suite| suite.name()).collect();
    names.join(":")
}

/// A file that has programs on OpenSSL offer this one alone.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn configuration(folder: &Path, only: CipherSuite) -> Result<PathBuf> {
    let file = folder.join("openssl.cnf");
    let text = format!(
        "openssl_conf = start\n[start]\nssl_conf = ssl\n[ssl]\nsystem_default = clients\n\
         [clients]\nCiphersuites = {}\n",
        only.name()
    );
    fs::write(&file, text)?;
    Ok(file)
}

/// The one that a port agrees on with a client that offers these.
///
/// # Errors
///
/// When openssl cannot be run, or they agree on none.
pub(in crate::bench) fn agreed(port: u16, suites: &[CipherSuite]) -> Result<String> {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-brief", "-tls1_3"])
        .args(["-servername", "localhost"])
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .args(["-ciphersuites", &list(suites)])
        .stdin(Stdio::null());
    let output = command.output().context("cannot run openssl")?;
    // What was agreed on is told where errors are.
    let said = String::from_utf8_lossy(&output.stderr);
    read(&said).with_context(|| format!("openssl tells of no cipher suite:\n{said}"))
}

fn read(said: &str) -> Option<String> {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("Ciphersuite:"))?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::{CipherSuite, list, offered, read};
    use crate::bench::scenario::Client;

    #[test]
    fn one_suite_is_offered_alone_and_else_all() {
        let only = offered(Client::KeepTls, Some(CipherSuite::Aes128));
        assert_eq!(list(&only), "TLS_AES_128_GCM_SHA256");
        assert_eq!(
            list(&offered(Client::KeepTls, None)),
            "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
        );
    }

    #[test]
    fn a_suite_is_asked_for_by_its_name() {
        for suite in CipherSuite::value_variants() {
            let value = suite.to_possible_value().unwrap();
            assert_eq!(value.get_name(), suite.name());
        }
    }

    #[test]
    fn what_openssl_says_is_understood() {
        let said = "\
CONNECTION ESTABLISHED
Protocol version: TLSv1.3
Ciphersuite: TLS_AES_128_GCM_SHA256
Peer certificate: CN = localhost
";
        assert_eq!(read(said).unwrap(), "TLS_AES_128_GCM_SHA256");
        assert!(read("Connection refused").is_none());
    }
}
