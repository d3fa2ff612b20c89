//! The audit log: who changed what, when, newest kept.
//!
//! What takes the role `deploy` is kept apart from the rest, so that a role that
//! may do less cannot push it out by doing much. To whoever reads it is one log.

use std::cmp::Reverse;
use std::sync::Arc;

use redb::{
    ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition,
    TableError, WriteTransaction,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Store, StoreError, json};
use crate::events::{Events, Happened};
use crate::timestamp::Timestamp;

/// Entries as JSON by their sequence numbers, from 1.
pub(super) const AUDIT: Entries = TableDefinition::new("audit");

/// Those of tokens, plugins and bindings, numbered together with the others.
const DEPLOYED: Entries = TableDefinition::new("audit.deployed");

/// What the actions of those begin with.
const DEPLOYING: [&str; 3] = ["token.", "plugin.", "binding."];

type Entries = TableDefinition<'static, u64, &'static str>;

/// Entries that are kept of either kind: a busy month, in some megabytes.
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

    /// Tell of an entry that is on the disk. The log, which goes elsewhere,
    /// keeps what is pushed out here.
    pub(super) fn tell(&self, sequence: u64, entry: Entry) {
        tracing::info!(
            sequence,
            author = entry.who,
            from = entry.from,
            action = entry.action,
            subject = entry.target,
            "audit"
        );
        if let Some(events) = &self.told {
            let numbered = Numbered { sequence, entry };
            events.push(Happened::Audited(Arc::new(numbered)));
        }
    }

    /// The newest entries, newest first.
    pub(crate) fn audit(&self, most: usize) -> Result<Vec<Numbered>, StoreError> {
        let mut records = self.read(|reading| {
            let mut records = newest(reading, AUDIT, most)?;
            records.append(&mut newest(reading, DEPLOYED, most)?);
            Ok(records)
        })?;
        records.sort_unstable_by_key(|(sequence, _)| Reverse(*sequence));
        records.truncate(most);
        let parse = |(sequence, entry): (u64, String)| {
            let entry = self.parse(&entry)?;
            Ok(Numbered { sequence, entry })
        };
        records.into_iter().map(parse).collect()
    }
}

fn newest(
    reading: &ReadTransaction,
    entries: Entries,
    most: usize,
) -> Result<Vec<(u64, String)>, redb::Error> {
    let table = match reading.open_table(entries) {
        // The first entry that is kept makes it.
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        table => table?,
    };
    let mut records = Vec::new();
    for record in table.iter()?.rev().take(most) {
        let (sequence, entry) = record?;
        records.push((sequence.value(), entry.value().to_owned()));
    }
    Ok(records)
}

/// Add an entry, and give its number; the oldest of its kind goes when there
/// are too many.
pub(super) fn add(writing: &WriteTransaction, entry: &Entry) -> Result<u64, redb::Error> {
    let mut plain = writing.open_table(AUDIT)?;
    let mut deployed = writing.open_table(DEPLOYED)?;
    let last = |table: &Table<'_, u64, &str>| -> Result<u64, redb::Error> {
        Ok(table.last()?.map_or(0, |(sequence, _)| sequence.value()))
    };
    let next = last(&plain)?.max(last(&deployed)?) + 1;
    let is_deployed = DEPLOYING.iter().any(|kind| entry.action.starts_with(kind));
    let table = match is_deployed {
        true => &mut deployed,
        false => &mut plain,
    };
    table.insert(next, &*json(entry)?)?;
    if table.len()? > KEPT {
        table.pop_first()?;
    }
    Ok(next)
}
