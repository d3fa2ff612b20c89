//! Tokens that the operator has given out, of which only SHA-256 is kept.

use gatewright_plugin_sdk::{ConfigError, refuse};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::config::Bearer;

/// Everybody's token.
#[derive(Debug)]
pub(crate) struct Tokens(Vec<(String, [u8; 32])>);

impl Tokens {
    /// The tokens of a configuration.
    ///
    /// # Errors
    ///
    /// The key of the first that is no SHA-256.
    pub(crate) fn parse(written: Bearer) -> Result<Self, ConfigError> {
        let tokens = written.tokens.into_iter().map(|(name, digest)| {
            let parsed = hexadecimal(&digest).ok_or_else(|| {
                refuse(
                    format!("bearer.tokens.{name}"),
                    "write the token's SHA-256 in 64 hexadecimal digits, not the token",
                )
            })?;
            Ok((name, parsed))
        });
        let tokens = tokens.collect::<Result<Vec<_>, ConfigError>>()?;
        match tokens.is_empty() {
            true => Err(refuse(
                "bearer.tokens",
                "there is no token: name one at least",
            )),
            false => Ok(Self(tokens)),
        }
    }

    /// Whose token it is, after looking at all of them alike.
    pub(crate) fn identify(&self, token: &str) -> Option<&str> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let mut found = u32::MAX;
        for (place, (_, known)) in (0..).zip(&self.0) {
            let is_it: Choice = known.ct_eq(&digest);
            found.conditional_assign(&place, is_it);
        }
        let (name, _) = self.0.get(found as usize)?;
        Some(name)
    }
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}
