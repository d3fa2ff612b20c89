//! Access tokens in the store: their hashes, never themselves.

use redb::{ReadableTable, TableDefinition};
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

    /// Keep a token.
    pub(crate) fn add_token(&self, token: &TokenRecord, entry: &Entry) -> Result<(), StoreError> {
        let sequence = self.write(|writing| {
            let mut table = writing.open_table(TOKENS)?;
            table.insert(&*token.id, &*json(token)?)?;
            audit::add(writing, entry)
        })?;
        self.tell(sequence, entry.clone());
        Ok(())
    }

    /// Forget a token; says whether there was one of this id.
    pub(crate) fn remove_token(&self, id: &str, entry: &Entry) -> Result<bool, StoreError> {
        let sequence = self.write(|writing| {
            let mut table = writing.open_table(TOKENS)?;
            let was_there = table.remove(id)?.is_some();
            let entry = was_there.then(|| audit::add(writing, entry));
            entry.transpose()
        })?;
        if let Some(sequence) = sequence {
            self.tell(sequence, entry.clone());
        }
        Ok(sequence.is_some())
    }
}
