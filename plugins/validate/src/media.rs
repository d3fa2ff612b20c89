//! Media types (RFC 9110, 8.3.1), compared without their parameters.

use std::fmt;

use gatewright_matching::tokens::is_token;
use gatewright_plugin_sdk::{ConfigError, refuse};

/// Media types and ranges such as `text/*`, in lower case.
#[derive(Debug)]
pub(crate) struct MediaTypes(Vec<String>);

impl MediaTypes {
    /// What is written at `key`.
    ///
    /// # Errors
    ///
    /// The key of the first that is none.
    pub(crate) fn parse(written: &[String], key: &str) -> Result<Self, ConfigError> {
        let parsed = written.iter().enumerate().map(|(number, text)| {
            let parts = text.split_once('/');
            let is_type = parts.is_some_and(|(of, sub)| of != "*" && is_token(of) && is_token(sub));
            match is_type {
                true => Ok(text.to_ascii_lowercase()),
                false => Err(refuse(
                    format!("{key}[{number}]"),
                    format!("`{text}` is no media type such as application/json or text/*"),
                )),
            }
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Whether none was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a `Content-Type` is one of them.
    pub(crate) fn accept(&self, content_type: &str) -> bool {
        let given = content_type.split(';').next().unwrap_or_default();
        let given = given.trim().to_ascii_lowercase();
        self.0.iter().any(|known| match known.strip_suffix('*') {
            Some(range) => given.starts_with(range) && given.len() > range.len(),
            None => *known == given,
        })
    }
}

impl fmt::Display for MediaTypes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(", "))
    }
}
