//! The overlay in the store: a record for each override, by its key.

use gatewright_model::config::{Key, Overlay, Override};
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::audit::{self, Entry};
use super::records::{self, Record};
use super::{Store, StoreError, json};

/// Overrides as JSON by their keys, which are arrays of steps in JSON.
pub(super) const OVERRIDES: TableDefinition<'_, &str, &str> = TableDefinition::new("overrides");

/// A change of the overlay, with what else changes by it and what is noted.
#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) before: Overlay,
    pub(crate) after: Overlay,
    pub(crate) records: Vec<Record>,
    pub(crate) entry: Entry,
}

impl Store {
    /// Everything that was changed at run time.
    pub(crate) fn overlay(&self) -> Result<Overlay, StoreError> {
        let records = self.read(|reading| {
            let table = reading.open_table(OVERRIDES)?;
            let mut records = Vec::new();
            for record in table.iter()? {
                let (key, held) = record?;
                records.push((key.value().to_owned(), held.value().to_owned()));
            }
            Ok(records)
        })?;
        let parse = |(key, held): (String, String)| {
            let key: Key = self.parse(&key)?;
            let held: Override = self.parse(&held)?;
            Ok((key, held))
        };
        records.into_iter().map(parse).collect()
    }

    /// Keep an entry of the audit log alone.
    pub(crate) async fn note(&self, entry: Entry) -> Result<(), StoreError> {
        let store = self.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let sequence = store.write(|writing| audit::add(writing, &entry))?;
            store.tell(sequence, entry);
            Ok(())
        });
        match writing.await {
            Ok(written) => written,
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Keep a change. Writing waits for the disk, on a thread that may.
    pub(crate) async fn keep(&self, edited: Edited) -> Result<(), StoreError> {
        let store = self.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let sequence = store.write(|writing| {
                write(writing, &edited.before, &edited.after)?;
                records::write(writing, &edited.records)?;
                audit::add(writing, &edited.entry)
            })?;
            store.tell(sequence, edited.entry);
            Ok(())
        });
        match writing.await {
            Ok(written) => written,
            Err(error) => Err(self.lost(&error)),
        }
    }
}

/// Write what differs.
fn write(writing: &WriteTransaction, before: &Overlay, after: &Overlay) -> Result<(), redb::Error> {
    let mut table = writing.open_table(OVERRIDES)?;
    for (key, _) in before.iter() {
        if after.get(key).is_none() {
            table.remove(&*json(key)?)?;
        }
    }
    for (key, held) in after.iter() {
        if before.get(key) != Some(held) {
            table.insert(&*json(key)?, &*json(held)?)?;
        }
    }
    Ok(())
}
