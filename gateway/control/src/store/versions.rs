//! Plugins' versions in the store: what is known of each beside its component,
//! which is a file of its own. The file is there before the record.

use std::collections::BTreeMap;

use gatewright_model::id::{Digest, PluginName};
use redb::{ReadableTable, TableDefinition, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Store, StoreError, json};
use crate::timestamp::Timestamp;

/// Versions as JSON by their plugins' names and their digests.
pub(super) const VERSIONS: TableDefinition<'_, (&str, &str), &str> =
    TableDefinition::new("versions");

/// What is kept of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionRecord {
    /// Since when it is there.
    pub(crate) at: Timestamp,
    /// Bytes of its component.
    pub(crate) size: u64,
    pub(crate) source: VersionSource,
    /// Who uploaded it: a token's name, or `anonymous`; none for a file's.
    pub(crate) uploader: Option<String>,
    /// The roles that it has.
    pub(crate) roles: Vec<String>,
    /// The interfaces of the contract that it imports.
    pub(crate) imports: Vec<String>,
    /// The interfaces that it exports.
    pub(crate) exports: Vec<String>,
    /// Whether it runs without the component model between.
    pub(crate) direct: bool,
    /// What it says of itself.
    #[serde(default)]
    pub(crate) about: About,
    /// Where it was fetched from, by its manifest's digest.
    #[serde(default)]
    pub(crate) reference: Option<String>,
}

/// What a component says of itself; none of it is checked to be true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct About {
    pub(crate) name: Option<String>,
    /// As its author counts.
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    /// An address that begins with `http://` or `https://`.
    pub(crate) homepage: Option<String>,
    pub(crate) authors: Option<String>,
    /// As an SPDX expression.
    pub(crate) licenses: Option<String>,
}

impl From<gatewright_host::About> for About {
    fn from(about: gatewright_host::About) -> Self {
        Self {
            name: about.name,
            version: about.version,
            description: about.description,
            homepage: about.homepage,
            authors: about.authors,
            licenses: about.licenses,
        }
    }
}

/// Where a version came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VersionSource {
    /// Built in.
    Default,
    /// The file that the configuration names.
    File,
    /// The API.
    Upload,
}

/// Every version that is known, by plugin and digest.
pub(crate) type Versions = BTreeMap<(PluginName, Digest), VersionRecord>;

impl Store {
    /// Every version.
    pub(crate) fn versions(&self) -> Result<Versions, StoreError> {
        let records = self.read(|reading| {
            let table = match reading.open_table(VERSIONS) {
                // The first version that is kept makes it.
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let mut records = Vec::new();
            for record in table.iter()? {
                let (key, version) = record?;
                let (plugin, digest) = key.value();
                let key = (plugin.to_owned(), digest.to_owned());
                records.push((key, version.value().to_owned()));
            }
            Ok(records)
        })?;
        let parse = |((plugin, digest), version): ((String, String), String)| {
            let digest = digest.parse::<Digest>();
            let digest = digest.map_err(|error| StoreError::damaged(&self.path, error))?;
            Ok(((plugin.into(), digest), self.parse(&version)?))
        };
        records.into_iter().map(parse).collect()
    }
}

pub(super) fn write(
    writing: &WriteTransaction,
    plugin: &PluginName,
    digest: Digest,
    version: Option<&VersionRecord>,
) -> Result<(), redb::Error> {
    let mut table = writing.open_table(VERSIONS)?;
    let digest = digest.to_string();
    let key = (plugin.as_str(), &*digest);
    match version {
        Some(version) => table.insert(key, &*json(version)?)?,
        None => table.remove(key)?,
    };
    Ok(())
}
