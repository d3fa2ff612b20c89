//! The versions of plugins that there are, and what was bound in each seat
//! before: what the store has of both, at hand.

mod files;
mod named;

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use gatewright_host::defaults;
use gatewright_model::id::{Digest, PluginName};

use crate::change::Refusal;
use crate::seats::SeatName;
use crate::store::{
    Histories, Record, Step, Store, StoreError, VersionRecord, VersionSource, Versions,
};

pub(crate) use named::{Naming, naming};

/// Hexadecimal digits that name a version, at least.
const PREFIX: usize = 8;

/// Versions that were uploaded which are kept of a plugin, each with its
/// component and its code: a loop that uploads must not fill the disk.
const MOST_UPLOADED: usize = 100;

/// What is known of versions and of what was bound before.
#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    versions: Versions,
    histories: Histories,
}

impl Catalog {
    /// What a store has.
    pub(crate) fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(Self(RwLock::new(Held {
            versions: store.versions()?,
            histories: store.histories()?,
        })))
    }

    /// These are all from now on.
    pub(crate) fn put(&self, versions: Versions, histories: Histories) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *held = Held {
            versions,
            histories,
        };
    }

    /// Take over what was kept.
    pub(crate) fn apply(&self, records: &[Record]) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for record in records.iter().cloned() {
            match record {
                Record::Version(plugin, digest, Some(version)) => {
                    held.versions.insert((plugin, digest), *version);
                }
                Record::Version(plugin, digest, None) => {
                    held.versions.remove(&(plugin, digest));
                }
                Record::History(seat, steps) => {
                    held.histories.insert(seat, steps);
                }
                // Access has those.
                Record::Token(..) => {}
            }
        }
    }

    /// What is known of a version.
    pub(crate) fn version(&self, plugin: &PluginName, digest: Digest) -> Option<VersionRecord> {
        let held = self.held();
        held.versions.get(&(plugin.clone(), digest)).cloned()
    }

    /// A plugin's versions, the oldest first; that of the default set is not
    /// among them.
    pub(crate) fn versions(&self, plugin: &PluginName) -> Vec<(Digest, VersionRecord)> {
        let held = self.held();
        let versions = held.versions.iter();
        let versions = versions.filter(|((name, _), _)| name == plugin);
        let mut versions: Vec<_> = versions
            .map(|((_, digest), version)| (*digest, version.clone()))
            .collect();
        versions.sort_by_key(|(_, version)| version.at);
        versions
    }

    /// Whether a version that is uploaded can be kept beside the others.
    ///
    /// # Errors
    ///
    /// When there are as many of the plugin as are kept.
    pub(crate) fn has_room(&self, plugin: &PluginName, digest: Digest) -> Result<(), Refusal> {
        let versions = self.versions(plugin).into_iter();
        let uploaded = versions.filter(|(_, version)| version.source == VersionSource::Upload);
        let uploaded: Vec<_> = uploaded.map(|(digest, _)| digest).collect();
        if uploaded.len() < MOST_UPLOADED || uploaded.contains(&digest) {
            return Ok(());
        }
        Err(Refusal::Conflict(format!(
            "plugin {plugin} has {MOST_UPLOADED} uploaded versions, and no more are kept; remove \
             one that is bound nowhere, by `gatewright plugin delete {plugin} VERSION`; the \
             oldest is {}",
            uploaded[0].short()
        )))
    }

    /// What a plugin's file held last, as far as is known.
    pub(crate) fn newest_of_file(&self, plugin: &PluginName) -> Option<Digest> {
        let versions = self.versions(plugin).into_iter().rev();
        let mut of_file = versions.filter(|(_, version)| version.source == VersionSource::File);
        of_file.next().map(|(digest, _)| digest)
    }

    /// The plugins that have versions.
    pub(crate) fn plugins(&self) -> BTreeSet<PluginName> {
        let held = self.held();
        held.versions.keys().map(|(name, _)| name.clone()).collect()
    }

    /// Whether a component is a version of any plugin.
    pub(crate) fn holds(&self, digest: Digest) -> bool {
        let held = self.held();
        held.versions.keys().any(|(_, known)| *known == digest)
    }

    /// What was bound in a seat before, the latest last.
    pub(crate) fn history(&self, seat: &SeatName) -> Vec<Step> {
        let held = self.held();
        let steps = held.histories.get(&seat.to_string());
        steps.cloned().unwrap_or_default()
    }

    /// Whether a rollback may lead back to a version.
    fn may_be_back(&self, plugin: &PluginName, digest: Digest) -> bool {
        let held = self.held();
        let mut steps = held.histories.values().flatten();
        steps.any(|step| step.leads_to(plugin) && step.version == Some(digest))
    }

    /// The histories that have steps to forget, without them.
    pub(crate) fn histories_without(&self, forget: impl Fn(&Step) -> bool) -> Vec<Record> {
        let held = self.held();
        let histories = held.histories.iter();
        let histories = histories.filter(|(_, steps)| steps.iter().any(&forget));
        let without = histories.map(|(seat, steps)| {
            let kept = steps.iter().filter(|step| !forget(step));
            Record::History(seat.clone(), kept.cloned().collect())
        });
        without.collect()
    }

    /// The version that a text names: a digest, or enough of its beginning.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub(crate) fn resolve(&self, plugin: &PluginName, text: &str) -> Result<Digest, String> {
        let text = text.to_ascii_lowercase();
        if text.len() < PREFIX || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(format!(
                "{text:?} names no version; write the first {PREFIX} or more of its hexadecimal \
                 digits"
            ));
        }
        let known = self.versions(plugin).into_iter().map(|(digest, _)| digest);
        let known = known.chain(built_in(plugin));
        let known: BTreeSet<_> = known
            .filter(|digest| digest.to_string().starts_with(&text))
            .collect();
        let mut known = known.into_iter();
        match (known.next(), known.next()) {
            (Some(digest), None) => Ok(digest),
            (None, _) => Err(format!("plugin {plugin} has no version {text}")),
            (Some(_), Some(_)) => Err(format!(
                "several versions of plugin {plugin} begin with {text}; write more of it"
            )),
        }
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version of a plugin of the default set.
pub(crate) fn built_in(plugin: &PluginName) -> Option<Digest> {
    let mut defaults = defaults().iter();
    let default = defaults.find(|default| default.name == plugin.as_str());
    default.map(gatewright_host::DefaultPlugin::digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{About, VersionSource};
    use crate::timestamp::Timestamp;

    fn catalog(digests: &[[u8; 32]]) -> Catalog {
        let catalog = Catalog::default();
        let record = VersionRecord {
            at: Timestamp(0),
            size: 1,
            source: VersionSource::Upload,
            uploader: None,
            roles: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            direct: true,
            about: About::default(),
            reference: None,
        };
        let record = |digest: &[u8; 32]| {
            Record::Version(
                "mine".into(),
                Digest(*digest),
                Some(Box::new(record.clone())),
            )
        };
        catalog.apply(&digests.iter().map(record).collect::<Vec<_>>());
        catalog
    }

    #[test]
    fn a_plugin_has_so_many_uploaded_versions_and_no_more() {
        let digests = (0..MOST_UPLOADED as u8).map(|first| [first; 32]);
        let catalog = catalog(&digests.collect::<Vec<_>>());
        let mine = PluginName::from("mine");
        let refused = catalog.has_room(&mine, Digest([0xff; 32])).unwrap_err();
        let Refusal::Conflict(message) = refused else {
            panic!("{refused:?}");
        };
        assert!(message.contains("plugin delete mine"), "{message}");
        assert!(catalog.has_room(&mine, Digest([0; 32])).is_ok());
        let other = PluginName::from("other");
        assert!(catalog.has_room(&other, Digest([0xff; 32])).is_ok());
    }

    #[test]
    fn enough_of_the_beginning_names_a_version() {
        let mut other = [0xab; 32];
        other[4] = 0;
        let catalog = catalog(&[[0xab; 32], other]);
        let mine = PluginName::from("mine");
        assert_eq!(catalog.resolve(&mine, "ABABABABAB"), Ok(Digest([0xab; 32])));
        assert_eq!(catalog.resolve(&mine, "abababab00"), Ok(Digest(other)));
        for (text, reason) in [
            ("abababab", "several versions"),
            ("ababab", "names no version"),
            ("abababgh", "names no version"),
            ("cdcdcdcd", "has no version"),
            ("", "names no version"),
        ] {
            let refused = catalog.resolve(&mine, text).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        assert!(catalog.resolve(&"other".into(), "ABABABABAB").is_err());
    }

    #[test]
    fn the_default_set_has_its_versions_without_a_record() {
        let weighted = PluginName::from("weighted");
        let digest = built_in(&weighted).unwrap();
        let resolved = Catalog::default().resolve(&weighted, &digest.to_string());
        assert_eq!(resolved, Ok(digest));
    }
}
