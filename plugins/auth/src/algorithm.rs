//! How tokens are signed (RFC 7518, 3.1; RFC 8037).

use gatewright_plugin_sdk::{ConfigError, refuse};

/// An algorithm that is understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

/// All that there are. `none` is not among them and never will be.
const ALL: [Algorithm; 4] = [
    Algorithm::Hs256,
    Algorithm::Rs256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];

impl Algorithm {
    /// Those that are written at `key`, or all if none is.
    ///
    /// # Errors
    ///
    /// The key of the first that is not understood.
    pub(crate) fn parse(written: &[String], key: &str) -> Result<Vec<Self>, ConfigError> {
        if written.is_empty() {
            return Ok(ALL.to_vec());
        }
        let parsed = written.iter().enumerate().map(|(number, name)| {
            let known = ALL.into_iter().find(|known| known.name() == name);
            known.ok_or_else(|| {
                let reason = format!("`{name}` is none of HS256, RS256, ES256, EdDSA");
                refuse(format!("{key}[{number}]"), reason)
            })
        });
        parsed.collect()
    }

    /// What tokens and keys call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}
