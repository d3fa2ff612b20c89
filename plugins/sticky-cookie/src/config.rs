//! How the cookie looks: as written, checked, and as text.

use gatewright_plugin_sdk::{ConfigError, refuse};
use serde::Deserialize;

/// The shortest secret that is accepted, in bytes.
const SHORTEST_SECRET: usize = 16;

/// The configuration, every key of which may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The cookie's name; `gw_session` by default.
    pub name: String,
    /// The paths that it is sent for; `/` by default.
    pub path: String,
    /// The domain that it is sent to; by default the host that was asked.
    pub domain: Option<String>,
    /// How long browsers keep it, in seconds; by default until they close.
    pub max_age_s: Option<u32>,
    /// Whether it is sent over HTTPS alone; by default if it was set there.
    pub secure: Secure,
    /// Which requests from other sites carry it; `lax` by default.
    pub same_site: SameSite,
    /// Whether scripts are kept from reading it; true by default.
    pub http_only: bool,
    /// What the values are signed with: at least 16 characters. Without it a
    /// client that knows the servers' addresses can choose among them.
    pub secret: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "gw_session".into(),
            path: "/".into(),
            domain: None,
            max_age_s: None,
            secure: Secure::Follow(Automatic::Auto),
            same_site: SameSite::Lax,
            http_only: true,
            secret: None,
        }
    }
}

/// `"auto"`, true or false.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "expected \"auto\", true or false")]
pub enum Secure {
    /// As the request came.
    Follow(Automatic),
    /// As the operator says.
    Set(bool),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Automatic {
    /// Over HTTPS if the cookie was set over HTTPS.
    Auto,
}

/// RFC 6265bis, `SameSite`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Never.
    Strict,
    /// When the user follows a link.
    Lax,
    /// Always; browsers then want `Secure`.
    None,
}

impl Config {
    /// Refuse what would make a broken or an ignored cookie.
    ///
    /// # Errors
    ///
    /// The first key whose value will not do.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.name.is_empty() || !self.name.bytes().all(is_token) {
            return Err(refuse(
                "name",
                "a cookie's name is letters, digits and any of !#$%&'*+-.^_`|~",
            ));
        }
        if !self.path.starts_with('/') || !is_attribute(&self.path) {
            return Err(refuse(
                "path",
                "a path begins with / and holds no semicolon",
            ));
        }
        if self
            .domain
            .as_deref()
            .is_some_and(|domain| domain.is_empty() || !is_attribute(domain))
        {
            return Err(refuse(
                "domain",
                "a domain is a host name such as example.com",
            ));
        }
        if self.same_site == SameSite::None && matches!(self.secure, Secure::Set(false)) {
            return Err(refuse(
                "secure",
                "browsers drop a cookie of same_site = \"none\" that is not secure",
            ));
        }
        if self
            .secret
            .as_deref()
            .is_some_and(|secret| secret.len() < SHORTEST_SECRET)
        {
            return Err(refuse(
                "secret",
                format!("a secret has at least {SHORTEST_SECRET} characters"),
            ));
        }
        Ok(())
    }

    /// Everything after the value, but for `Secure`.
    pub fn attributes(&self) -> String {
        let mut text = format!("; Path={}", self.path);
        if let Some(domain) = &self.domain {
            text += &format!("; Domain={domain}");
        }
        if let Some(seconds) = self.max_age_s {
            text += &format!("; Max-Age={seconds}");
        }
        text += match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        };
        if self.http_only {
            text += "; HttpOnly";
        }
        text
    }

    /// Whether a cookie is `Secure`; asks whether its request came over HTTPS
    /// only where that matters.
    pub fn is_secure(&self, over_https: impl FnOnce() -> bool) -> bool {
        match self.secure {
            Secure::Set(secure) => secure,
            Secure::Follow(Automatic::Auto) => self.same_site == SameSite::None || over_https(),
        }
    }
}

/// RFC 9110, `tchar`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 6265, `av-octet`.
fn is_attribute(text: &str) -> bool {
    text.bytes()
        .all(|byte| (0x20..0x7F).contains(&byte) && byte != b';')
}
