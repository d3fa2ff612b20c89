//! The audit log: who changed what, when, newest kept.

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde_json::Value;

use super::{Store, StoreError, json};
use crate::timestamp::Timestamp;

/// Entries as JSON by their sequence numbers, from 1.
pub(super) const AUDIT: TableDefinition<'_, u64, &str> = TableDefinition::new("audit");

/// Entries that are kept: a busy month, in some megabytes.
const KEPT: u64 = 10_000;

/// A change that was made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// When.
    pub(crate) at: Timestamp,
    /// By whom: a token's name, `anonymous`, `file`, `command line`.
    pub(crate) who: String,
    /// From where; none for what came from this machine's files.
    pub(crate) from: Option<String>,
    /// What was done, such as `server.add`.
    pub(crate) action: String,
    /// To what, such as `pools.web.servers."10.0.0.1:80"`.
    pub(crate) target: String,
    /// The number of the snapshot that came into force with it; none when it
    /// changed no traffic.
    pub(crate) generation: Option<u64>,
}

impl Store {
    /// The newest entries, newest first, each with its `sequence`.
    pub(crate) fn audit(&self, most: usize) -> Result<Vec<Value>, StoreError> {
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
            let mut entry: Value = self.parse(&entry)?;
            entry["sequence"] = sequence.into();
            Ok(entry)
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
