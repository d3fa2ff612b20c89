//! The audit log: who changed what, when, newest kept.

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Store, StoreError, json};
use crate::timestamp::Timestamp;

/// Entries as JSON by their sequence numbers, from 1.
pub(super) const AUDIT: TableDefinition<'_, u64, &str> = TableDefinition::new("audit");

/// Entries that are kept: a busy month, in some megabytes.
const KEPT: u64 = 10_000;

/// A change that was made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Change)]
pub(crate) struct Entry {
    /// When.
    pub(crate) at: Timestamp,
    /// By whom: a token's name, `anonymous`, `file`, `command line`.
    pub(crate) who: String,
    /// From where; none for what came from this machine's files.
    pub(crate) from: Option<String>,
    /// What was done.
    #[schema(example = "server.add")]
    pub(crate) action: String,
    /// To what: a key of the configuration, or the id of a token.
    #[schema(example = r#"pools.web.servers."10.0.0.1:80""#)]
    pub(crate) target: String,
    /// The number of the snapshot that came into force with it; none when it
    /// changed no traffic.
    pub(crate) generation: Option<u64>,
}

/// An entry with its place in the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct Numbered {
    /// Counted from 1.
    pub(crate) sequence: u64,
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

impl Store {
    /// The newest entries, newest first.
    pub(crate) fn audit(&self, most: usize) -> Result<Vec<Numbered>, StoreError> {
        let records = self.read(|reading| {
            let table = reading.open_table(AUDIT)?;
            let mut records = Vec::new();
            for record in table.iter()?.rev().take(most) {
                let (sequence, entry) = record?;
                records.push((sequence.value(), entry.value().to_owned()));
            }
            Ok(records)
        })?;
        let parse = |(sequence, entry): (u64, String)| {
            let entry = self.parse(&entry)?;
            Ok(Numbered { sequence, entry })
        };
        records.into_iter().map(parse).collect()
    }
}

/// Add an entry; the oldest goes when there are too many.
pub(super) fn add(writing: &WriteTransaction, entry: &Entry) -> Result<(), redb::Error> {
    let mut table = writing.open_table(AUDIT)?;
    let last = table.last()?.map(|(sequence, _)| sequence.value());
    let next = last.unwrap_or(0) + 1;
    table.insert(next, &*json(entry)?)?;
    if let Some(oldest) = next.checked_sub(KEPT) {
        table.remove(oldest)?;
    }
    Ok(())
}
