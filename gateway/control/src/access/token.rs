//! Making tokens and knowing them again.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Role;
use crate::store::{Entry, Removal, Spare, Store, StoreError, TokenRecord};
use crate::timestamp::Timestamp;

/// What every token begins with, so that one is recognised where it should not
/// be, such as in a repository.
const PREFIX: &str = "gw_";

/// Random bytes of a token.
const SECRET_BYTES: usize = 32;

/// Random bytes of an id: enough not to meet.
const ID_BYTES: usize = 4;

/// The most characters of a token's name.
const NAME: usize = 64;

/// Names by which the audit log calls whom no token was shown by.
const RESERVED: [&str; 3] = ["anonymous", "file", "gateway"];

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it is for, 1 to 64 letters, digits, `-`, `_` and `.`: it is what the
    /// audit log calls whoever shows it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// For how long; none: until it is revoked.
    pub expires_in: Option<Duration>,
}

/// Why a token is not made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nobody can be called so.
    #[error(
        "a token's name is 1 to {NAME} letters, digits, \"-\", \"_\" and \".\", and not {}",
        RESERVED.join(", ")
    )]
    Name,
    /// From the first token on everybody needs one, and nobody could make more.
    #[error(
        "there is no token of the role deploy, which it takes to make another; make that one first"
    )]
    NoDeployer,
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Make a token: what is kept of it, and the token itself, which nobody can
/// have again.
///
/// # Errors
///
/// When the name cannot be one, when there is no token of the role `deploy` and
/// this is to be none, and when the store cannot be written.
pub fn create_token(
    store: &Store,
    wanted: NewToken,
    who: &str,
    from: Option<String>,
) -> Result<(TokenRecord, String), TokenError> {
    if !is_name(&wanted.name) {
        return Err(TokenError::Name);
    }
    let mut secret = [0; SECRET_BYTES];
    let mut id = [0; ID_BYTES];
    for bytes in [&mut secret[..], &mut id] {
        getrandom::fill(bytes).map_err(|error| store.no_randomness(&error))?;
    }
    let token = format!("{PREFIX}{}", hex(&secret));
    let now = Timestamp::now();
    let record = TokenRecord {
        id: hex(&id),
        name: wanted.name,
        role: wanted.role,
        created: now,
        expires: wanted.expires_in.map(|period| now.after(period)),
        sha256: hex(&Sha256::digest(&token)),
    };
    match store.add_token(&record, &entry(who, from, "token.create", &record.id))? {
        true => Ok((record, token)),
        false => Err(TokenError::NoDeployer),
    }
}

/// Revoke a token, unless it is to be spared.
///
/// # Errors
///
/// When the store cannot be written.
pub fn revoke_token(
    store: &Store,
    id: &str,
    spare: Spare,
    who: &str,
    from: Option<String>,
) -> Result<Removal, StoreError> {
    store.remove_token(id, spare, &entry(who, from, "token.revoke", id))
}

fn entry(who: &str, from: Option<String>, action: &str, id: &str) -> Entry {
    Entry {
        at: Timestamp::now(),
        who: who.to_owned(),
        from,
        action: action.to_owned(),
        target: id.to_owned(),
        generation: None,
    }
}

impl TokenRecord {
    /// Whether it counts.
    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// The valid token that was shown. Every one is compared, each in a time that
/// does not depend on how much of it is right.
pub(super) fn find<'a>(
    tokens: &'a [TokenRecord],
    shown: &str,
    now: Timestamp,
) -> Option<&'a TokenRecord> {
    let hash = hex(&Sha256::digest(shown));
    let mut found = None;
    for token in tokens {
        let is_same = token.sha256.as_bytes().ct_eq(hash.as_bytes());
        if bool::from(is_same) {
            found = Some(token);
        }
    }
    found.filter(|token| token.is_valid(now))
}

/// Whether a token may be called so.
fn is_name(name: &str) -> bool {
    let is_one = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=NAME).contains(&name.len()) && name.bytes().all(is_one) && !RESERVED.contains(&name)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
