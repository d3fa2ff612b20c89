//! Uploads: a component comes in, is compiled and tried aside, and becomes a
//! version that decides nothing until a binding names it.
//!
//! They take turns, since compiling takes a core for as long as it takes; what others
//! of a cluster have taken in takes its turn among them. The
//! component is on the disk before there is a record of it; what has none is
//! cleared away at the next start.

use std::sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError};

use gatewright_model::config::{Config, DEFAULT_PLUGINS, Key, PluginSource};
use gatewright_model::id::{Digest, PluginName};
use gatewright_model::signature::PluginSignature;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use utoipa::ToSchema;

use crate::change::{Arrival, Author, Change, Edit, Recorded, Refusal};
use crate::control::{Control, edit};
use crate::desired::Desired;
use crate::store::{Record, VersionRecord};
use crate::timestamp::Timestamp;

/// The most bytes of a component, as bodies are counted.
pub(crate) const COMPONENT_BYTES: usize = gatewright_host::COMPONENT_BYTES as usize;

/// Uploads that may come in, wait or be compiled at a time; each holds its
/// component in memory.
const MOST: usize = 16;

/// Those of them that may be fetched: how long that takes is for registries to
/// say, and they are strangers.
const MOST_FETCHED: usize = 4;

/// What is under way.
#[derive(Debug)]
pub(crate) struct Uploads {
    places: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
    turn: Mutex<()>,
    list: StdMutex<Vec<Upload>>,
}

/// An upload's place among those that may be under way. It is taken before the
/// component is read.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _fetch: Option<OwnedSemaphorePermit>,
}

/// An upload that is under way, on this gateway or, of another in the cluster, to be
/// compiled here as well.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Upload {
    name: String,
    #[schema(value_type = String)]
    version: Digest,
    /// Bytes of the component.
    size: usize,
    state: UploadState,
    since: Timestamp,
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UploadState {
    /// It has come in, and others are before it.
    Waiting,
    /// It is compiled and tried.
    Compiling,
}

/// A component that somebody brings.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    pub(crate) plugin: PluginName,
    /// What it may import; none for what the plugin may already.
    pub(crate) grants: Option<Vec<String>>,
    /// The memory of an instance, as a configuration file would say it.
    pub(crate) memory: Option<String>,
}

/// What was sent of it.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) component: Vec<u8>,
    pub(crate) signature: Option<PluginSignature>,
    /// Where it was fetched from; none for what was sent.
    pub(crate) reference: Option<String>,
}

/// A version that is there.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) digest: Digest,
    pub(crate) record: VersionRecord,
    /// Whether it was not there before.
    pub(crate) is_new: bool,
    /// How long compiling and trying it took, in milliseconds.
    pub(crate) compile_ms: f64,
}

impl Uploads {
    /// What is under way, the oldest first.
    pub(crate) fn list(&self) -> Vec<Upload> {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.clone()
    }

    /// Take a place for what is sent, if there is one.
    pub(crate) fn place(&self) -> Result<Place, Refusal> {
        self.place_with(None)
    }

    /// Take a place for what is to be fetched, if there is one.
    pub(crate) fn place_to_fetch(&self) -> Result<Place, Refusal> {
        let permit = Arc::clone(&self.fetches).try_acquire_owned();
        let message = "too many components are being fetched; try again in a moment, or send it";
        let permit = permit.map_err(|_| Refusal::Busy(message))?;
        self.place_with(Some(permit))
    }

    fn place_with(&self, fetch: Option<OwnedSemaphorePermit>) -> Result<Place, Refusal> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let message = "too many uploads are under way; try again in a moment";
        let permit = permit.map_err(|_| Refusal::Busy(message))?;
        Ok(Place {
            _permit: permit,
            _fetch: fetch,
        })
    }

    fn begin(&self, upload: Upload) -> UnderWay<'_> {
        let (version, since) = (upload.version, upload.since);
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(upload);
        UnderWay {
            uploads: self,
            version,
            since,
        }
    }
}

impl Default for Uploads {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            fetches: Arc::new(Semaphore::new(MOST_FETCHED)),
            turn: Mutex::default(),
            list: StdMutex::default(),
        }
    }
}

/// An upload's place in the list; it leaves when this is dropped.
struct UnderWay<'u> {
    uploads: &'u Uploads,
    version: Digest,
    since: Timestamp,
}

impl UnderWay<'_> {
    fn compiles(&self) {
        self.edit(|list, index| list[index].state = UploadState::Compiling);
    }

    fn edit(&self, edit: impl FnOnce(&mut Vec<Upload>, usize)) {
        let list = self.uploads.list.lock();
        let mut list = list.unwrap_or_else(PoisonError::into_inner);
        let mine = |one: &Upload| one.version == self.version && one.since == self.since;
        if let Some(index) = list.iter().position(mine) {
            edit(&mut list, index);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.edit(|list, index| drop(list.remove(index)));
    }
}

impl Brought {
    /// What makes the configuration know the plugin, and what it may.
    fn edits(
        &self,
        config: &Config,
        desired: &Desired,
        version: Digest,
    ) -> Result<Vec<Edit>, Refusal> {
        let name = self.plugin.as_str();
        let key = Key::top("plugins").then(name);
        let is_spoken_for = is_spoken_for(config, desired, &self.plugin);
        let terms = [
            ("grants", self.grants.as_ref().map(|grants| json!(grants))),
            ("memory", self.memory.as_ref().map(|memory| json!(memory))),
        ];
        let terms = terms.into_iter();
        let mut terms = terms.filter_map(|(step, value)| Some((step, value?)));
        if is_spoken_for {
            return match terms.next() {
                None => Ok(Vec::new()),
                Some((step, _)) => Err(Refusal::Conflict(format!(
                    "what {name} may have is not the API's to say: it is of the default set or \
                     declared in the configuration file; leave {step} out"
                ))),
            };
        }
        if desired.overlay.adds(&key) {
            let terms = terms.map(|(step, value)| Edit::Set(key.clone().then(step), value));
            return Ok(terms.collect());
        }
        let mut plugin = json!({ "version": version });
        terms.for_each(|(step, value)| plugin[step] = value);
        Ok(vec![Edit::Set(key, plugin)])
    }

    /// Where the plugin comes from and what it may, once it is there.
    async fn source(&self, control: &Control, version: Digest) -> Result<PluginSource, Refusal> {
        let desired = control.desired();
        let in_force = control.publisher.snapshot();
        let edits = self.edits(&in_force.config, &desired, version)?;
        let draft = desired.with(edit(&desired, &edits), &edits).await?;
        let source = draft.wanted.config.plugins.get(&self.plugin);
        Ok(source.cloned().unwrap_or_else(PluginSource::usual))
    }
}

/// Whether a plugin is of the default set or declared in the file, so that what
/// it may is not the API's to say.
fn is_spoken_for(config: &Config, desired: &Desired, plugin: &PluginName) -> bool {
    let is_the_apis = desired
        .overlay
        .adds(&Key::top("plugins").then(plugin.as_str()));
    let is_declared = config.plugins.contains_key(plugin);
    !is_the_apis && (is_declared || DEFAULT_PLUGINS.contains(&plugin.as_str()))
}

/// What came in, with its digest, which takes a while.
async fn digested(sent: Sent) -> Result<Arrival, Refusal> {
    let digesting = tokio::task::spawn_blocking(move || Arrival {
        digest: Digest(Sha256::digest(&sent.component).into()),
        component: Arc::from(sent.component),
        signature: sent.signature,
    });
    digesting.await.map_err(|_| Refusal::Stopping)
}

impl Control {
    /// Whether a plugin is of the default set or declared in the file.
    pub(crate) fn is_spoken_for(&self, plugin: &PluginName) -> bool {
        let config = &self.publisher.snapshot().config;
        is_spoken_for(config, &self.desired(), plugin)
    }

    /// Whether a component of this name would be looked at, before it is read.
    pub(crate) async fn would_take(&self, brought: &Brought) -> Result<(), Refusal> {
        brought.source(self, Digest([0; 32])).await.map(drop)
    }

    /// Take in a component. It is finished whether or not anybody waits for the
    /// answer.
    pub(crate) async fn take_in(
        self: &Arc<Self>,
        author: Author,
        brought: Brought,
        (place, sent): (Place, Sent),
    ) -> Result<Taken, Refusal> {
        let control = Arc::clone(self);
        let taking = async move {
            let taken = control.taken(author, brought, sent).await;
            drop(place);
            taken
        };
        let taken = tokio::spawn(taking).await;
        taken.unwrap_or(Err(Refusal::Stopping))
    }

    async fn taken(
        self: &Arc<Self>,
        author: Author,
        brought: Brought,
        sent: Sent,
    ) -> Result<Taken, Refusal> {
        let reference = sent.reference.clone();
        let arrival = digested(sent).await?;
        let (digest, size) = (arrival.digest, arrival.component.len());
        let under_way = self.uploads.begin(Upload {
            name: brought.plugin.to_string(),
            version: digest,
            size,
            state: UploadState::Waiting,
            since: Timestamp::now(),
        });
        let _turn = self.uploads.turn.lock().await;
        self.catalog.has_room(&brought.plugin, digest)?;
        under_way.compiles();
        let source = brought.source(self, digest).await?;
        let host = Arc::clone(self.publisher.host());
        let (plugin, snapshot) = (brought.plugin.clone(), self.publisher.snapshot());
        let tried = arrival.clone();
        let compiling = tokio::task::spawn_blocking(move || {
            host.take_in(&plugin, &tried.brought(), &source, &snapshot)
        });
        let compiled = compiling.await.map_err(|_| Refusal::Stopping)?;
        let compiled = compiled.map_err(|refusal| self.refused(refusal))?;
        let uploader = Some(author.name.clone());
        let record = VersionRecord {
            reference,
            ..VersionRecord::of(&compiled, uploader)
        };
        let kept = self.keep_version(author, brought, arrival, record.clone());
        let known = kept.await?;
        Ok(Taken {
            digest,
            is_new: known.is_none(),
            record: known.unwrap_or(record),
            compile_ms: compiled.took.as_secs_f64() * 1000.0,
        })
    }

    /// Compile a version that is kept, in its turn among uploads, so that a change that
    /// binds it finds its code.
    pub(crate) async fn compile_ahead(&self, plugin: &PluginName, digest: Digest) {
        let host = Arc::clone(self.publisher.host());
        let Some(record) = self.catalog.version(plugin, digest) else {
            return;
        };
        if host.is_compiled(digest) {
            return;
        }
        let under_way = self.uploads.begin(Upload {
            name: plugin.to_string(),
            version: digest,
            size: usize::try_from(record.size).unwrap_or(usize::MAX),
            state: UploadState::Waiting,
            since: Timestamp::now(),
        });
        let _turn = self.uploads.turn.lock().await;
        under_way.compiles();
        let keys = self.publisher.snapshot().config.admin.plugin_keys.clone();
        let compiling = tokio::task::spawn_blocking(move || host.compile_ahead(digest, &keys));
        if let Ok(Err(refusal)) = compiling.await {
            let version = digest.short();
            tracing::warn!(
                %plugin, %version, "it is not compiled before it is bound: {refusal}"
            );
        }
    }

    /// Why a component is not taken in. What a plugin may have is said where it is
    /// declared: in the file, or by who sends it.
    fn refused(&self, refusal: gatewright_host::Refusal) -> Refusal {
        match refusal {
            gatewright_host::Refusal::NotGranted {
                grant,
                needed,
                plugin,
            } if !self.is_spoken_for(&plugin) => Refusal::NotGranted { grant, needed },
            refusal => refusal.into(),
        }
    }

    /// Keep a component and its record, if it is a new version, and declare the
    /// plugin where it is not or may have something else now. Returns the
    /// record that was there before.
    async fn keep_version(
        self: &Arc<Self>,
        author: Author,
        brought: Brought,
        arrival: Arrival,
        new: VersionRecord,
    ) -> Result<Option<VersionRecord>, Refusal> {
        let control = Arc::clone(self);
        let known = Arc::new(OnceLock::new());
        let found = Arc::clone(&known);
        let make = move |config: &Config| {
            // As it is now that nobody else changes anything.
            let digest = arrival.digest;
            let plugin = brought.plugin.clone();
            control.catalog.has_room(&plugin, digest)?;
            let edits = brought.edits(config, &control.desired(), digest)?;
            let known = control.catalog.version(&plugin, digest);
            let known = found.get_or_init(|| known);
            let change = Change {
                action: "plugin.upload",
                target: format!("{plugin} {digest}"),
                edits,
            };
            let record = Record::Version(plugin, digest, Some(Box::new(new)));
            Ok(Recorded {
                records: known.is_none().then_some(record).into_iter().collect(),
                component: Some(arrival),
                ..Recorded::from(change)
            })
        };
        self.change_recorded(author, None, make).await?;
        Ok(known.get().cloned().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_registries_leave_places_to_those_who_send() {
        let uploads = Uploads::default();
        let fetched: Vec<_> = (0..MOST)
            .map_while(|_| uploads.place_to_fetch().ok())
            .collect();
        assert_eq!(fetched.len(), MOST_FETCHED);
        let sent: Vec<_> = (0..=MOST).map_while(|_| uploads.place().ok()).collect();
        assert_eq!(sent.len(), MOST - MOST_FETCHED);
        drop(fetched);
        assert!(uploads.place_to_fetch().is_ok());
    }
}
