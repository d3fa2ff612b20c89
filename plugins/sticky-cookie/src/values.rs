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

/// A name as it is in a cookie. Its order is of no meaning, but there is one.
type Name = [u8; NAME_DIGITS];

/// The end of a cookie that is sent over HTTPS alone.
const SECURE: &str = "; Secure";

/// Bytes of the signature that are kept: 128 bits cannot be guessed.
const SIGNATURE_BYTES: usize = 16;

/// The values of a pool's endpoints.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// By name, ascending.
    entries: Vec<Entry>,
    /// Each slot's place among them.
    places: Vec<Option<usize>>,
}

/// What is given to the clients of one endpoint.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The name as a number, which is compared at once.
    name: u128,
    slot: Slot,
    /// The whole `Set-Cookie`, ending in [`SECURE`].
    cookie: String,
    /// Where in it the signature is, with its dot: empty without a secret.
    signature: Range<usize>,
}

impl Entry {
    /// The cookie, over HTTPS alone or not.
    pub(crate) fn cookie(&self, secure: bool) -> &str {
        match secure {
            true => &self.cookie,
            false => &self.cookie[..self.cookie.len() - SECURE.len()],
        }
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
        let slots = entries.iter().map(|entry| entry.slot as usize + 1).max();
        let mut places = vec![None; slots.unwrap_or_default()];
        for (place, entry) in entries.iter().enumerate() {
            places[entry.slot as usize] = Some(place);
        }
        Self { entries, places }
    }

    /// The endpoint that a cookie's value names, if it is one that we gave.
    pub(crate) fn slot(&self, value: &str) -> Option<Slot> {
        let (name, signature) = value.as_bytes().split_first_chunk()?;
        let name = number(name);
        let at = self
            .entries
            .binary_search_by_key(&name, |entry| entry.name)
            .ok()?;
        let entry = &self.entries[at];
        let expected = &entry.cookie.as_bytes()[entry.signature.clone()];
        is_equal(expected, signature).then_some(entry.slot)
    }

    /// What the clients of an endpoint are given.
    pub(crate) fn entry(&self, slot: Slot) -> Option<&Entry> {
        let place = *self.places.get(slot as usize)?;
        self.entries.get(place?)
    }
}

fn number(name: &Name) -> u128 {
    u128::from_le_bytes(*name)
}

fn entry(endpoint: &Endpoint, config: &Config, attributes: &str) -> Entry {
    let mut cookie = format!(
        "{}={:0NAME_DIGITS$x}",
        config.name,
        hash(endpoint.id.as_bytes())
    );
    let named = cookie.len();
    let name = cookie.as_bytes().last_chunk().map_or(0, number);
    if let Some(secret) = &config.secret {
        cookie.push('.');
        for byte in &signature(secret, &endpoint.id)[..SIGNATURE_BYTES] {
            // Writing to a string cannot fail.
            let _ = write!(cookie, "{byte:02x}");
        }
    }
    let signature = named..cookie.len();
    cookie += attributes;
    cookie += SECURE;
    Entry {
        name,
        slot: endpoint.slot,
        cookie,
        signature,
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
