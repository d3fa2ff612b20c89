//! The audit log: who changed what, when, newest kept.

use std::sync::Arc;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Store, StoreError, json};
use crate::events::{Events, Happened};
use crate::timestamp::Timestamp;

/// Entries as JSON by their sequence numbers, from 1.
pub(super) const AUDIT: TableDefinition<'_, u64, &str> = TableDefinition::new("audit");

/// Entries that are kept: a busy month, in some megabytes.
const KEPT: u64 = 10_000;

/// A change that was made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Change)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// By whom: a token's name, `anonymous`, `file`, `command line`.
    pub who: String,
    /// From where; none for what came from this machine's files.
    pub from: Option<String>,
    /// What was done.
    #[schema(example = "server.add")]
    pub action: String,
    /// To what: a key of the configuration, or the id of a token.
    #[schema(example = r#"pools.web.servers."10.0.0.1:80""#)]
    pub target: String,
    /// The number of the snapshot that came into force with it; none when it
    /// changed no traffic.
    pub generation: Option<u64>,
}

/// An entry with its place in the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct Numbered {
    /// Counted from 1.
    pub sequence: u64,
    /// What is noted there.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Store {
    /// Tell of every entry that is written from now on among these events.
    pub(crate) fn telling(self, events: &Arc<Events>) -> Self {
        let told = Some(Arc::clone(events));
        Self { told, ..self }
    }

    /// Tell of an entry that is on the disk.
    pub(super) fn tell(&self, sequence: u64, entry: Entry) {
        if let Some(events) = &self.told {
            let numbered = Numbered { sequence, entry };
            events.push(Happened::Audited(Arc::new(numbered)));
        }
    }

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

/// Add an entry, and give its number; the oldest goes when there are too many.
pub(super) fn add(writing: &WriteTransaction, entry: &Entry) -> Result<u64, redb::Error> {
    let mut table = writing.open_table(AUDIT)?;
    let last = table.last()?.map(|(sequence, _)| sequence.value());
    let next = last.unwrap_or(0) + 1;
    table.insert(next, &*json(entry)?)?;
    if let Some(oldest) = next.checked_sub(KEPT) {
        table.remove(oldest)?;
    }
    Ok(next)
}
