//! What was bound in each seat before, in the store: what a rollback restores.

use std::collections::BTreeMap;

use gatewright_model::id::{Digest, PluginName};
use redb::{ReadableTable, TableDefinition, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Store, StoreError, json};

/// Steps as JSON, the latest last, by the seats' names.
pub(super) const HISTORIES: TableDefinition<'_, &str, &str> = TableDefinition::new("histories");

/// What was bound in a seat until something else was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// The plugin; none when nothing was bound.
    pub(crate) plugin: Option<String>,
    /// The version that the binding named; none for what the plugin has.
    pub(crate) version: Option<Digest>,
    pub(crate) restore: Restore,
}

impl Step {
    /// Whether it was a plugin's version that was bound.
    pub(crate) fn leads_to(&self, plugin: &PluginName) -> bool {
        self.plugin.as_deref() == Some(plugin.as_str())
    }
}

/// How to have it so again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Restore {
    /// As the configuration file says.
    Declared,
    /// Nothing bound, whatever the file says.
    Nothing,
    /// This binding, as a file would say it.
    Binding(Value),
}

/// The steps of each seat, by its name.
pub(crate) type Histories = BTreeMap<String, Vec<Step>>;

impl Store {
    /// Every seat's steps.
    pub(crate) fn histories(&self) -> Result<Histories, StoreError> {
        let records = self.read(|reading| {
            let table = match reading.open_table(HISTORIES) {
                // The first step that is kept makes it.
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let mut records = Vec::new();
            for record in table.iter()? {
                let (seat, steps) = record?;
                records.push((seat.value().to_owned(), steps.value().to_owned()));
            }
            Ok(records)
        })?;
        let parse = |(seat, steps): (String, String)| Ok((seat, self.parse(&steps)?));
        records.into_iter().map(parse).collect()
    }
}

pub(super) fn write(
    writing: &WriteTransaction,
    seat: &str,
    steps: &[Step],
) -> Result<(), redb::Error> {
    let mut table = writing.open_table(HISTORIES)?;
    match steps {
        [] => table.remove(seat)?,
        steps => table.insert(seat, &*json(&steps)?)?,
    };
    Ok(())
}
