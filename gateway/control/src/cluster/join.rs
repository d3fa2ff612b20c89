//! The start in a cluster: before anything is in force, the store comes to be what
//! the cluster's server has, if that can be asked.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use gatewright_cluster::{Connection, Fields, Ledger, Members, Shelf, State};
use gatewright_host::Host;
use gatewright_model::config::Config;
use gatewright_model::id::Digest;
use sha2::{Digest as _, Sha256};

use super::ahead::Ahead;
use super::components::problem;
use super::problems::Problems;
use super::{Cluster, ClusterError, Course, contents};
use crate::desired::Wanted;
use crate::error::StartError;
use crate::files;
use crate::gateway::Keep;
use crate::store::{Entry, Store};
use crate::timestamp::Timestamp;

impl Cluster {
    /// The cluster that a configuration names, and a store's copy of its state.
    pub(crate) async fn of(
        config: &Arc<Config>,
        store: &Store,
        keep: Keep,
    ) -> Result<Option<Arc<Self>>, StartError> {
        let Some(written) = &config.cluster else {
            return Ok(None);
        };
        let connection = Connection::new(written, config.admin.listen.port());
        let connection = connection.map_err(|error| {
            let config = Arc::clone(config);
            let wanted = Wanted {
                config,
                places: None,
            };
            StartError::Config(wanted.error(error.key, "", error.message))
        })?;
        // The first gateway gives the others its key.
        store.session_key()?;
        let cluster = Arc::new(Self {
            ledger: Ledger::new(connection.clone()),
            shelf: Shelf::new(connection.clone()),
            members: Members::new(connection.clone()),
            connection,
            replica: Mutex::new(store.replica()?),
            gateways: Mutex::default(),
            problems: Problems::default(),
            ahead: Ahead::default(),
            lacked: Mutex::default(),
            came: Mutex::default(),
            is_in_line: AtomicBool::new(false),
            has_doubts: AtomicBool::new(false),
            follows_anew: AtomicBool::new(false),
            host: OnceLock::new(),
            admin: OnceLock::new(),
            has_left: AtomicBool::new(false),
            saying: tokio::sync::Mutex::default(),
            has_missed: AtomicBool::new(false),
            data: (keep == Keep::InDataFolder).then(|| config.admin.data.clone()),
        });
        if let Err(error) = cluster.join(store).await {
            let server = cluster.connection.address();
            tracing::warn!(
                server,
                "the cluster's server is not asked: {error}; this gateway starts with what it \
                 has, and catches up"
            );
        }
        Ok(Some(cluster))
    }

    async fn join(&self, store: &Store) -> Result<(), ClusterError> {
        self.connection.connect().await?;
        let Some(state) = self.ledger.read().await? else {
            // What is to be written there is written once this gateway runs.
            return Ok(());
        };
        let course = Course::of(self.replica().head.as_ref(), Some(&state.head));
        let Course::Follow { sets_aside } = course else {
            return Ok(());
        };
        contents(&state)?;
        let entry = self.entry_of(&state, sets_aside).await?;
        if let Err(error) = store.take_over(state.clone(), entry).await {
            return Err(ClusterError::Refused(error.to_string()));
        }
        self.has(&state);
        Ok(())
    }

    /// What is noted of a state that is followed. What it does not have and this
    /// gateway has is set aside in a file first, if it is to be.
    pub(super) async fn entry_of(
        &self,
        state: &State,
        sets_aside: bool,
    ) -> Result<Entry, ClusterError> {
        let revision = &state.head.revision;
        let mut target = format!("version {} by {}", revision.version, revision.author);
        let mut action = "cluster.follow";
        if sets_aside {
            let kept = self.set_aside(&state.fields).await?;
            if let Some(kept) = kept {
                action = "cluster.set-aside";
                target = format!("{target}; what this gateway alone had: {kept}");
            }
        }
        Ok(entry(action, target))
    }

    /// Keep what only this gateway has in a file of the data folder, and say so.
    async fn set_aside(&self, wanted: &Fields) -> Result<Option<String>, ClusterError> {
        let ours = self.replica().fields.into_iter();
        let lost = ours.filter(|(field, value)| {
            !field.starts_with("secret:") && wanted.get(field) != Some(value)
        });
        let lost: Fields = lost.collect();
        if lost.is_empty() {
            return Ok(None);
        }
        let count = lost.len();
        let Some(data) = &self.data else {
            return Ok(Some(format!("{count} records, which were in memory only")));
        };
        let text = serde_json::to_string_pretty(&lost);
        let text = text.map_err(|error| ClusterError::Refused(error.to_string()))?;
        // What is set aside again, since the rest did not succeed, is one file.
        let digest = Digest(Sha256::digest(&text).into());
        let path = data.join(format!("set-aside-{}.json", digest.short()));
        let unwritten = |error: &dyn std::fmt::Display| {
            ClusterError::Refused(format!("{} cannot be written: {error}", path.display()))
        };
        let putting = files::put(path.clone(), Arc::from(text.into_bytes())).await;
        putting.map_err(|error| unwritten(&error))?;
        tracing::warn!(
            file = %path.display(),
            count,
            "the cluster's state takes the place of what was changed here alone, which is set aside"
        );
        Ok(Some(format!("{count} records, now in {}", name_of(&path))))
    }

    /// The admin listener is bound and the host runs: have it keep every component
    /// that is named.
    pub(crate) async fn started(&self, admin: SocketAddr, host: &Arc<Host>) {
        // They are set once.
        let _ = self.admin.set(admin);
        let _ = self.host.set(Arc::clone(host));
        let fields = self.replica().fields;
        let fetched = self.fetch(&fields).await;
        // It is in force from the start.
        self.came().clear();
        match fetched.map(|missing| problem(&missing)) {
            Ok(None) => {}
            // It is told among the events where it stays so.
            Ok(Some(missing)) => tracing::warn!("{missing}"),
            Err(error) => {
                tracing::warn!("a plugin's component is not here yet: {error}");
                self.follow_anew();
            }
        }
    }
}

/// What is noted of what the cluster has changed here.
pub(super) fn entry(action: &str, target: String) -> Entry {
    Entry {
        at: Timestamp::now(),
        who: "cluster".to_owned(),
        from: None,
        action: action.to_owned(),
        target,
        generation: None,
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
