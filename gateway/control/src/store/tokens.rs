//! Access tokens in the store: their hashes, never themselves.

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::audit::{self, Entry};
use super::{Store, StoreError, json};
use crate::access::Role;
use crate::timestamp::Timestamp;

/// Tokens as JSON by their ids.
pub(super) const TOKENS: TableDefinition<'_, &str, &str> = TableDefinition::new("tokens");

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// What it is called by: not secret.
    pub id: String,
    /// What it is for, in its maker's words.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Since when it is there.
    pub created: Timestamp,
    /// From when on it counts no more; none: never.
    pub expires: Option<Timestamp>,
    /// The SHA-256 of the token, in hexadecimal.
    pub(crate) sha256: String,
}

impl Store {
    /// Every token, expired ones included.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        let records = self.read(|reading| {
            let table = reading.open_table(TOKENS)?;
            let mut records = Vec::new();
            for record in table.iter()? {
                records.push(record?.1.value().to_owned());
            }
            Ok(records)
        })?;
        records.iter().map(|record| self.parse(record)).collect()
    }

    /// Keep a token, unless nobody could make or revoke tokens then: says
    /// whether it is kept.
    pub(crate) fn add_token(&self, token: &TokenRecord, entry: &Entry) -> Result<bool, StoreError> {
        let sequence = self.write(|writing| {
            let mut table = writing.open_table(TOKENS)?;
            if token.role != Role::Deploy && !has_deployer(&table, &token.id)? {
                return Ok(None);
            }
            table.insert(&*token.id, &*json(token)?)?;
            audit::add(writing, entry).map(Some)
        })?;
        if let Some(sequence) = sequence {
            self.tell(sequence, entry.clone());
        }
        Ok(sequence.is_some())
    }

    /// Forget a token.
    pub(crate) fn remove_token(
        &self,
        id: &str,
        spare: Spare,
        entry: &Entry,
    ) -> Result<Removal, StoreError> {
        let (removal, sequence) = self.write(|writing| {
            let mut table = writing.open_table(TOKENS)?;
            if spare == Spare::LastDeployer
                && table.get(id)?.is_some()
                && !has_deployer(&table, id)?
            {
                return Ok((Removal::Spared, None));
            }
            match table.remove(id)?.is_some() {
                true => Ok((Removal::Done, Some(audit::add(writing, entry)?))),
                false => Ok((Removal::NotThere, None)),
            }
        })?;
        if let Some(sequence) = sequence {
            self.tell(sequence, entry.clone());
        }
        Ok(removal)
    }
}

/// Write a token, or remove it.
pub(super) fn write(
    writing: &WriteTransaction,
    id: &str,
    token: Option<&TokenRecord>,
) -> Result<(), redb::Error> {
    let mut table = writing.open_table(TOKENS)?;
    match token {
        Some(token) => table.insert(id, &*json(token)?)?,
        None => table.remove(id)?,
    };
    Ok(())
}

/// Which token is not to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// Any may be.
    None,
    /// Not one without which nobody could make or revoke tokens.
    LastDeployer,
}

/// What became of a token that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It counts no more.
    Done,
    /// There was none of this id.
    NotThere,
    /// It was to be spared.
    Spared,
}

/// Whether a token other than this one has the role `deploy` now.
fn has_deployer(
    tokens: &impl ReadableTable<&'static str, &'static str>,
    than: &str,
) -> Result<bool, redb::Error> {
    let now = Timestamp::now();
    for token in tokens.iter()? {
        let (id, token) = token?;
        let token = serde_json::from_str(token.value());
        let token: TokenRecord =
            token.map_err(|error| redb::Error::Corrupted(error.to_string()))?;
        if id.value() != than && token.role == Role::Deploy && token.is_valid(now) {
            return Ok(true);
        }
    }
    Ok(false)
}
