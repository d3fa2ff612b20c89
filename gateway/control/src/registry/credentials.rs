//! Logins for registries, from the file that `docker login` writes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gatewright_model::config::Registries;
use serde::Deserialize;

use super::FetchError;

/// Bytes of the file.
const FILE_BYTES: u64 = 1 << 20;

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) name: String,
    pub(super) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}, …)", self.name)
    }
}

#[derive(Deserialize)]
struct Logins {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// `name:password` in base64.
    auth: Option<String>,
}

/// The login for a registry: of the configured file, or else the user's own.
///
/// # Errors
///
/// When the configured file does not read.
pub(super) async fn find(host: &str, registries: &Registries) -> Result<Option<Login>, FetchError> {
    let (file, is_configured) = match &registries.auth {
        Some(file) => (Some(file.clone()), true),
        None => (own_file(), false),
    };
    let Some(file) = file else {
        return Ok(None);
    };
    let host = host.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(&file, &host));
    let read = reading.await.unwrap_or_else(|error| Err(error.to_string()));
    match read {
        Ok(login) => Ok(login),
        Err(reason) if is_configured => Err(FetchError::Wrong(format!(
            "the logins of admin.registries.auth cannot be read: {reason}"
        ))),
        Err(_) => Ok(None),
    }
}

fn own_file() -> Option<PathBuf> {
    let folder = match std::env::var_os("DOCKER_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&std::env::var_os("HOME")?).join(".docker"),
    };
    Some(folder.join("config.json"))
}

fn read(file: &Path, host: &str) -> Result<Option<Login>, String> {
    let length = std::fs::metadata(file)
        .map_err(|error| error.to_string())?
        .len();
    if length > FILE_BYTES {
        return Err("it is too large".to_owned());
    }
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    login(&text, host)
}

fn login(text: &[u8], host: &str) -> Result<Option<Login>, String> {
    let logins: Logins = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut known = logins.auths.iter();
    let entry = known.find(|(name, _)| host_of(name) == host);
    let Some(auth) = entry.and_then(|(_, entry)| entry.auth.as_deref()) else {
        return Ok(None);
    };
    let decoded = BASE64_STANDARD.decode(auth).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let (name, password) = decoded
        .as_deref()
        .and_then(|text| text.split_once(':'))
        .ok_or_else(|| format!("the login for {host} is no base64 of NAME:PASSWORD"))?;
    Ok(Some(Login {
        name: name.to_owned(),
        password: password.to_owned(),
    }))
}

/// The registry of an entry: some are written as addresses.
fn host_of(entry: &str) -> &str {
    let rest = entry.split_once("://").map_or(entry, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_found_by_its_registry() {
        let auth = BASE64_STANDARD.encode("ada:a:b");
        let text = format!(
            r#"{{ "auths": {{ "https://registry.example/v1/": {{ "auth": "{auth}" }},
                "other.example": {{}} }}, "credsStore": "x" }}"#
        );
        let found = login(text.as_bytes(), "registry.example").unwrap().unwrap();
        assert_eq!(
            (found.name.as_str(), found.password.as_str()),
            ("ada", "a:b")
        );
        assert!(!format!("{found:?}").contains("a:b"));
        for host in ["other.example", "none.example"] {
            assert_eq!(login(text.as_bytes(), host), Ok(None));
        }
        assert!(login(b"{", "registry.example").is_err());
        assert!(login(br#"{"auths":{"a.b":{"auth":"?"}}}"#, "a.b").is_err());
    }
}
