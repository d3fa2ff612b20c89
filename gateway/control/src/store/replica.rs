//! What of the store is the desired state of a cluster, as named fields: overrides,
//! plugins' versions, histories, tokens, and the key that sessions are named with.
//! The rest is this gateway's own: its audit log, its orders of certificates.
//!
//! In a cluster the store is a copy of what the cluster's server has, with the
//! revision that it is a copy of; the copy is written whole or not at all.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gatewright_cluster::{Delta, Fields, Head, Lineage, Revision, State};
use gatewright_model::config::Key;
use gatewright_model::id::{Digest, PluginName};
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, TableError, WriteTransaction};

use super::audit::{self, Entry};
use super::histories::HISTORIES;
use super::overrides::OVERRIDES;
use super::secrets::{SECRETS, SESSIONS};
use super::tokens::TOKENS;
use super::versions::VERSIONS;
use super::{Edited, Record, Store, StoreError};

/// Which revision the fields are, and those that it came from.
const REVISION: TableDefinition<'_, &str, &str> = TableDefinition::new("cluster.revision");

/// What fields' names begin with.
pub(super) const OVERRIDE: &str = "override:";
pub(super) const VERSION: &str = "version:";
pub(super) const HISTORY: &str = "history:";
pub(super) const TOKEN: &str = "token:";
pub(super) const SECRET: &str = "secret:";

/// A table of texts by texts.
type Texts = TableDefinition<'static, &'static str, &'static str>;

/// Those that are fields as they are.
const TEXTS: [(&str, Texts); 3] = [(OVERRIDE, OVERRIDES), (HISTORY, HISTORIES), (TOKEN, TOKENS)];

/// What a store has of a cluster's desired state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    /// Which one it is; none for a gateway that was in no cluster yet.
    pub(crate) head: Option<Head>,
    pub(crate) fields: Fields,
}

impl Replica {
    /// It after a change.
    pub(crate) fn with(&self, delta: &Delta) -> Fields {
        let mut fields = self.fields.clone();
        for (field, value) in delta {
            match value {
                Some(value) => fields.insert(field.clone(), value.clone()),
                None => fields.remove(field),
            };
        }
        fields
    }
}

/// The versions that fields name.
pub(crate) fn versions(fields: &Fields) -> impl Iterator<Item = (PluginName, Digest)> {
    fields.keys().filter_map(|field| {
        let (plugin, digest) = field.strip_prefix(VERSION)?.rsplit_once(':')?;
        Some((plugin.into(), digest.parse().ok()?))
    })
}

/// The field of a version.
fn version_field(plugin: &str, digest: &str) -> String {
    format!("{VERSION}{plugin}:{digest}")
}

impl Edited {
    /// The fields that it changes.
    pub(crate) fn delta(&self) -> serde_json::Result<Delta> {
        let mut delta = Delta::new();
        let field = |key: &Key| Ok(format!("{OVERRIDE}{}", serde_json::to_string(key)?));
        for (key, _) in self.before.iter() {
            if self.after.get(key).is_none() {
                delta.insert(field(key)?, None);
            }
        }
        for (key, held) in self.after.iter() {
            if self.before.get(key) != Some(held) {
                delta.insert(field(key)?, Some(serde_json::to_string(held)?));
            }
        }
        for record in &self.records {
            let (field, value) = match record {
                Record::Version(plugin, digest, version) => {
                    let field = version_field(plugin.as_str(), &digest.to_string());
                    let version = version.as_ref().map(serde_json::to_string);
                    (field, version.transpose()?)
                }
                Record::History(seat, steps) if steps.is_empty() => {
                    (format!("{HISTORY}{seat}"), None)
                }
                Record::History(seat, steps) => (
                    format!("{HISTORY}{seat}"),
                    Some(serde_json::to_string(steps)?),
                ),
                Record::Token(id, token) => {
                    let token = token.as_ref().map(serde_json::to_string);
                    (format!("{TOKEN}{id}"), token.transpose()?)
                }
            };
            delta.insert(field, value);
        }
        Ok(delta)
    }
}

impl Store {
    /// What there is of a cluster's desired state; for one that was in no cluster
    /// yet, what would be the first.
    pub(crate) fn replica(&self) -> Result<Replica, StoreError> {
        self.read(|reading| {
            Ok(Replica {
                head: head(reading)?,
                fields: fields(reading)?,
            })
        })
    }

    /// Be a copy of this state. Writing waits for the disk, on a thread that may.
    pub(crate) async fn take_over(&self, state: State, entry: Entry) -> Result<(), StoreError> {
        let store = self.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let sequence = store.write(|writing| {
                write(writing, &state)?;
                audit::add(writing, &entry)
            })?;
            store.tell(sequence, entry);
            Ok(())
        });
        match writing.await {
            Ok(written) => written,
            Err(error) => Err(self.lost(&error)),
        }
    }
}

fn head(reading: &ReadTransaction) -> Result<Option<Head>, redb::Error> {
    let table = match reading.open_table(REVISION) {
        // The first cluster makes it.
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        table => table?,
    };
    let get = |key: &str| -> Result<Option<String>, redb::Error> {
        Ok(table.get(key)?.map(|text| text.value().to_owned()))
    };
    let version = get("version")?.and_then(|version| version.parse().ok());
    let (Some(epoch), Some(version), Some(commit)) = (get("epoch")?, version, get("commit")?)
    else {
        return Ok(None);
    };
    let head = Head::of(Revision {
        epoch,
        version,
        commit,
        author: get("author")?.unwrap_or_default(),
    });
    Ok(Some(match get("lineage")? {
        Some(lineage) => Head {
            lineage: Lineage::parse(&lineage),
            ..head
        },
        None => head,
    }))
}

fn fields(reading: &ReadTransaction) -> Result<Fields, redb::Error> {
    let mut fields = Fields::new();
    for (prefix, texts) in TEXTS {
        let table = match reading.open_table(texts) {
            Err(TableError::TableDoesNotExist(_)) => continue,
            table => table?,
        };
        for record in table.iter()? {
            let (key, value) = record?;
            fields.insert(format!("{prefix}{}", key.value()), value.value().to_owned());
        }
    }
    match reading.open_table(VERSIONS) {
        Err(TableError::TableDoesNotExist(_)) => {}
        table => {
            for record in table?.iter()? {
                let (key, value) = record?;
                let (plugin, digest) = key.value();
                fields.insert(version_field(plugin, digest), value.value().to_owned());
            }
        }
    }
    match reading.open_table(SECRETS) {
        Err(TableError::TableDoesNotExist(_)) => {}
        table => {
            if let Some(key) = table?.get(SESSIONS)? {
                fields.insert(format!("{SECRET}{SESSIONS}"), hex(&key.value()));
            }
        }
    }
    Ok(fields)
}

/// Write what differs.
fn write(writing: &WriteTransaction, state: &State) -> Result<(), redb::Error> {
    for (prefix, texts) in TEXTS {
        let wanted = state.fields.iter();
        let wanted =
            wanted.filter_map(|(field, value)| Some((field.strip_prefix(prefix)?, &**value)));
        let wanted: BTreeMap<_, _> = wanted.collect();
        let mut table = writing.open_table(texts)?;
        table.retain(|key, value| wanted.get(key) == Some(&value))?;
        for (key, value) in wanted {
            if table.get(key)?.is_none() {
                table.insert(key, value)?;
            }
        }
    }
    let mut table = writing.open_table(VERSIONS)?;
    table.retain(|(plugin, digest), value| {
        let wanted = state.fields.get(&version_field(plugin, digest));
        wanted.is_some_and(|wanted| wanted == value)
    })?;
    for (plugin, digest) in versions(&state.fields) {
        let digest = digest.to_string();
        let value = state.fields.get(&version_field(plugin.as_str(), &digest));
        if let Some(value) = value {
            table.insert((plugin.as_str(), &*digest), &**value)?;
        }
    }
    let session_key = state.fields.get(&format!("{SECRET}{SESSIONS}"));
    if let Some(key) = session_key.and_then(|text| unhex(text)) {
        writing.open_table(SECRETS)?.insert(SESSIONS, key)?;
    }
    let mut table = writing.open_table(REVISION)?;
    let revision = &state.head.revision;
    table.insert("epoch", &*revision.epoch)?;
    table.insert("version", &*revision.version.to_string())?;
    table.insert("commit", &*revision.commit)?;
    table.insert("author", &*revision.author)?;
    table.insert("lineage", state.head.lineage.as_str())?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use gatewright_cluster::{Head, State};

    use gatewright_model::config::Overlay;

    use super::{Edited, Record, hex, unhex};
    use crate::access::Role;
    use crate::control::entry_of_files;
    use crate::store::{Contents, Restore, Step, Store, TokenRecord};
    use crate::timestamp::Timestamp;

    #[tokio::test]
    async fn a_copy_is_what_it_is_copied_from() {
        let (first, second) = (Store::in_memory().unwrap(), Store::in_memory().unwrap());
        first.session_key().unwrap();
        second.session_key().unwrap();
        let step = Step {
            plugin: None,
            version: None,
            restore: Restore::Declared,
        };
        let token = TokenRecord {
            id: "0a0b".to_owned(),
            name: "ops".to_owned(),
            role: Role::Deploy,
            created: Timestamp(0),
            expires: None,
            sha256: String::new(),
        };
        let edited = Edited {
            before: Overlay::default(),
            after: Overlay::default(),
            records: vec![
                Record::History("web/balancer".to_owned(), vec![step]),
                Record::Token(token.id.clone(), Some(Box::new(token.clone()))),
            ],
            entry: entry_of_files("test", String::new()),
        };
        let delta = edited.delta().unwrap();
        first.keep(edited).await.unwrap();
        let original = first.replica().unwrap();
        assert!(original.head.is_none());
        assert!(
            delta
                .keys()
                .all(|field| original.fields.contains_key(field))
        );
        assert_eq!(original.with(&delta), original.fields);
        let head = Head::first("a").next("b");
        let state = State {
            head: head.clone(),
            fields: original.fields.clone(),
        };
        let entry = entry_of_files("cluster.follow", String::new());
        second
            .take_over(state.clone(), entry.clone())
            .await
            .unwrap();
        let copy = second.replica().unwrap();
        assert_eq!(copy.head, Some(head));
        assert_eq!(copy.fields, original.fields);
        let contents = Contents::of(&copy.fields).unwrap();
        assert_eq!(contents.tokens, [token]);
        assert_eq!(contents.session_key, Some(first.session_key().unwrap()));
        assert_eq!(second.session_key().unwrap(), first.session_key().unwrap());
        // What is there no more goes.
        let mut less = state;
        less.fields
            .retain(|field, _| !field.starts_with("history:"));
        second.take_over(less.clone(), entry).await.unwrap();
        assert_eq!(second.replica().unwrap().fields, less.fields);
    }

    #[test]
    fn a_key_reads_back() {
        let key: [u8; 32] = std::array::from_fn(|at| at as u8 * 7);
        assert_eq!(unhex(&hex(&key)), Some(key));
        assert_eq!(unhex("00"), None);
    }
}
