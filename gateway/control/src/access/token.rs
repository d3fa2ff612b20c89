//! Making tokens and knowing them again.

use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Role, Who};
use crate::change::Refusal;
use crate::cluster::{Attempts, ClusterError, Ticket};
use crate::control::Control;
use crate::store::{Entry, Record, Removal, Spare, Store, StoreError, TokenRecord};
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

/// Why a token that was made elsewhere is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It is none.
    #[error(
        "a token is \"{PREFIX}\" and {} hexadecimal digits in lower case, all of them random",
        2 * SECRET_BYTES
    )]
    Form,
    /// It is there, for something else.
    #[error(
        "it is the token {id} of the role {role} already, or was until it expired; \
         revoke that one first"
    )]
    Known {
        /// What the one that is there is called by.
        id: String,
        /// What it may do.
        role: Role,
    },
    /// What keeps any token from being made.
    #[error(transparent)]
    Token(#[from] TokenError),
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
    let token = format!("{PREFIX}{}", random::<SECRET_BYTES>(store)?);
    let record = keep(store, wanted, &token, who, from)?;
    Ok((record, token))
}

/// Let a token count that was made elsewhere, such as one that several gateways
/// are to share: what is kept of it. One that counts already, with that role, is
/// left as it is.
///
/// # Errors
///
/// Those of [`create_token`], when it is no token by its form, and when it is
/// there with another role or has expired.
pub fn keep_token(
    store: &Store,
    wanted: NewToken,
    token: &str,
    who: &str,
    from: Option<String>,
) -> Result<TokenRecord, KeepError> {
    if !is_token(token) {
        return Err(KeepError::Form);
    }
    let sha256 = HEXLOWER.encode(&Sha256::digest(token));
    let mut known = store.tokens().map_err(TokenError::from)?.into_iter();
    match known.find(|known| known.sha256 == sha256) {
        None => Ok(keep(store, wanted, token, who, from)?),
        Some(known) if known.role == wanted.role && known.is_valid(Timestamp::now()) => Ok(known),
        Some(TokenRecord { id, role, .. }) => Err(KeepError::Known { id, role }),
    }
}

fn keep(
    store: &Store,
    wanted: NewToken,
    token: &str,
    who: &str,
    from: Option<String>,
) -> Result<TokenRecord, TokenError> {
    let record = record(store, wanted, token)?;
    match store.add_token(&record, &entry(who, from, "token.create", &record.id))? {
        true => Ok(record),
        false => Err(TokenError::NoDeployer),
    }
}

fn record(store: &Store, wanted: NewToken, token: &str) -> Result<TokenRecord, TokenError> {
    if !is_name(&wanted.name) {
        return Err(TokenError::Name);
    }
    let now = Timestamp::now();
    Ok(TokenRecord {
        id: random::<ID_BYTES>(store)?,
        name: wanted.name,
        role: wanted.role,
        created: now,
        expires: wanted.expires_in.map(|period| now.after(period)),
        sha256: HEXLOWER.encode(&Sha256::digest(token)),
    })
}

impl Control {
    /// [`create_token`] in a running gateway, whose whole cluster knows the token
    /// then.
    pub(crate) async fn create_token(
        &self,
        wanted: NewToken,
        who: &Who,
    ) -> Result<(TokenRecord, String), Refusal> {
        let _turn = self.turn.lock().await;
        self.may_change()?;
        let token = format!("{PREFIX}{}", random::<SECRET_BYTES>(&self.store)?);
        let record = record(&self.store, wanted, &token)?;
        let from = Some(who.from.to_string());
        let entry = entry(&who.name, from, "token.create", &record.id);
        let kept = Record::Token(record.id.clone(), Some(Box::new(record.clone())));
        let mut attempts = Attempts::at(self.keeper.cluster.as_ref());
        while attempts.another().await {
            self.catch_up_in_turn().await?;
            if record.role != Role::Deploy && !has_deployer(&self.access.tokens(), &record.id) {
                return Err(TokenError::NoDeployer.into());
            }
            let keeping = self.is_token_kept(kept.clone(), entry.clone(), attempts.ticket());
            if keeping.await? {
                return Ok((record, token));
            }
        }
        Err(ClusterError::Moved.into())
    }

    /// [`revoke_token`] in a running gateway, where the last one of the role `deploy`
    /// stays.
    pub(crate) async fn revoke_token(&self, id: &str, who: &Who) -> Result<Removal, Refusal> {
        let _turn = self.turn.lock().await;
        self.may_change()?;
        let from = Some(who.from.to_string());
        let entry = entry(&who.name, from, "token.revoke", id);
        let gone = Record::Token(id.to_owned(), None);
        let mut attempts = Attempts::at(self.keeper.cluster.as_ref());
        while attempts.another().await {
            self.catch_up_in_turn().await?;
            let tokens = self.access.tokens();
            if !tokens.iter().any(|token| token.id == id) {
                return Ok(Removal::NotThere);
            }
            if !has_deployer(&tokens, id) {
                return Ok(Removal::Spared);
            }
            let keeping = self.is_token_kept(gone.clone(), entry.clone(), attempts.ticket());
            if keeping.await? {
                return Ok(Removal::Done);
            }
        }
        Err(ClusterError::Moved.into())
    }

    /// Keep what becomes of a token; not where other gateways were quicker, which may
    /// have revoked the last one that could make more. Only who has the turn may call
    /// it.
    async fn is_token_kept(
        &self,
        token: Record,
        entry: Entry,
        ticket: Option<Ticket>,
    ) -> Result<bool, Refusal> {
        match self.keep_records_once(vec![token], entry, ticket).await {
            Err(Refusal::Cluster(ClusterError::Moved)) => Ok(false),
            kept => kept.map(|()| true),
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Name => Self::field("name", error.to_string()),
            TokenError::NoDeployer => Self::Conflict(error.to_string()),
            TokenError::Store(error) => error.into(),
        }
    }
}

/// Whether a token other than this one has the role `deploy` now.
fn has_deployer(tokens: &[TokenRecord], than: &str) -> bool {
    let now = Timestamp::now();
    let mut tokens = tokens.iter();
    tokens.any(|token| token.id != than && token.role == Role::Deploy && token.is_valid(now))
}

/// As many random bytes, in hexadecimal.
fn random<const BYTES: usize>(store: &Store) -> Result<String, StoreError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| store.no_randomness(&error))?;
    Ok(HEXLOWER.encode(&bytes))
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
    let hash = HEXLOWER.encode(&Sha256::digest(shown));
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

/// Whether a text is a token by its form.
fn is_token(text: &str) -> bool {
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let secret = text.strip_prefix(PREFIX).unwrap_or_default();
    secret.len() == 2 * SECRET_BYTES && secret.bytes().all(is_digit)
}
