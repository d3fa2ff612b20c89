//! What the cookie says: one for each endpoint, made ahead, so that a request
//! costs one search and one comparison.

use std::fmt::Write;
use std::ops::Range;

use crate::Config;
use gatewright_plugin_sdk::{Endpoint, Slot, hash};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Hexadecimal digits that name the endpoint.
const NAME_DIGITS: usize = 16;

/// The end of a cookie that is sent over HTTPS alone.
pub(crate) const SECURE: &str = "; Secure";

/// Bytes of the signature that are kept: 128 bits cannot be guessed.
const SIGNATURE_BYTES: usize = 16;

/// The values of a pool's endpoints.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// By name, ascending.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: u64,
    slot: Slot,
    /// The whole `Set-Cookie`, ending in [`SECURE`].
    cookie: String,
    /// Where in it the value is.
    value: Range<usize>,
}

impl Entry {
    fn value(&self) -> &str {
        &self.cookie[self.value.clone()]
    }
}

impl Values {
    /// The cookies of these endpoints, their values signed if there is a
    /// secret. Values follow from the endpoints' ids alone, so they outlive
    /// restarts and are the same on every worker and gateway.
    pub(crate) fn of(endpoints: &[Endpoint], config: &Config, attributes: &str) -> Self {
        let mut entries: Vec<_> = endpoints
            .iter()
            .map(|endpoint| entry(endpoint, config, attributes))
            .collect();
        entries.sort_unstable_by_key(|entry| entry.name);
        Self { entries }
    }

    /// The endpoint that a cookie's value names, if it is one that we gave.
    pub(crate) fn slot(&self, value: &str) -> Option<Slot> {
        let name = u64::from_str_radix(value.get(..NAME_DIGITS)?, 16).ok()?;
        let at = self
            .entries
            .binary_search_by_key(&name, |entry| entry.name)
            .ok()?;
        let entry = &self.entries[at];
        is_equal(entry.value().as_bytes(), value.as_bytes()).then_some(entry.slot)
    }

    /// The cookie that names an endpoint, as it is over HTTPS.
    pub(crate) fn cookie(&self, slot: Slot) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.slot == slot)?;
        Some(&entry.cookie)
    }
}

fn entry(endpoint: &Endpoint, config: &Config, attributes: &str) -> Entry {
    let name = hash(endpoint.id.as_bytes());
    let mut cookie = format!("{}={name:0NAME_DIGITS$x}", config.name);
    if let Some(secret) = &config.secret {
        cookie.push('.');
        for byte in &signature(secret, &endpoint.id)[..SIGNATURE_BYTES] {
            // Writing to a string cannot fail.
            let _ = write!(cookie, "{byte:02x}");
        }
    }
    let value = config.name.len() + 1..cookie.len();
    cookie += attributes;
    cookie += SECURE;
    Entry {
        name,
        slot: endpoint.slot,
        cookie,
        value,
    }
}

/// RFC 2104 with SHA-256.
fn signature(secret: &str, id: &str) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mac) => mac
            .chain_update(id.as_bytes())
            .finalize()
            .into_bytes()
            .into(),
        Err(never) => unreachable!("HMAC takes keys of any length: {never}"),
    }
}

/// Compare in a time that does not tell where the first difference is.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .fold(0, |seen, (one, other)| seen | (one ^ other))
            == 0
}
