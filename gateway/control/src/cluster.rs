//! The desired state that this gateway has together with others, in a Redis server
//! (`gatewright-cluster`).
//!
//! The server has the last word: a change counts once it is committed there, and
//! the store is a copy. Which of the two gives way when they differ is in
//! [`Course`]. Reading order: here is how a change is committed; `follow` puts in
//! force what others have changed; `join` is the start.

mod attempts;
mod follow;
mod join;
mod members;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use gatewright_cluster::{
    Committed, Components, Connection, Delta, Failure, Fields, Heard, Kept, Ledger, Members,
    Revision, Shelf, Standing, State,
};
use gatewright_host::Host;
use gatewright_model::id::Digest;
use tokio::time;

pub(crate) use self::attempts::Attempts;
pub(crate) use self::follow::follow;
use crate::store::{Edited, Replica, versions_of};

/// How long a change waits to learn what became of it when the server has not said.
const SETTLE: Duration = Duration::from_secs(3);

/// Why a change does not go through the cluster's server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Other gateways were quicker, again and again.
    #[error("other gateways change the cluster's state at the same time; ask again")]
    Moved,
    /// The server is away, or does not do it. Nothing was changed.
    #[error(
        "the cluster's server does not take the change, and no gateway changes alone: {0}; what \
         was in force still is; ask again when the server is there"
    )]
    Refused(String),
    /// It may have been changed.
    #[error(
        "the cluster's server was asked and has not answered ({0}), so that nobody knows yet \
         whether the change is kept: if it is, it comes into force on every gateway once the \
         server answers; look before you ask again"
    )]
    Unknown(String),
}

impl From<Failure> for ClusterError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unanswered(why) => Self::Unknown(why),
            Failure::Away(why) | Failure::Refused(why) => Self::Refused(why),
        }
    }
}

/// What is to be done when this gateway's copy and the server are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Nothing: they are the same.
    Stay,
    /// Take what the server has. Where both have changed, or it is another cluster's,
    /// what this gateway alone has is set aside.
    Follow { sets_aside: bool },
    /// Give the server what this gateway has: it lost it.
    Restore,
    /// Begin a cluster with what this gateway has.
    Seed,
}

impl Course {
    fn of(ours: Option<&Revision>, theirs: Option<&Revision>) -> Self {
        match (ours, theirs) {
            (None, None) => Self::Seed,
            (Some(_), None) => Self::Restore,
            (None, Some(_)) => Self::Follow { sets_aside: true },
            (Some(ours), Some(theirs)) if ours == theirs => Self::Stay,
            // Which of two clusters counts is not for a number to say.
            (Some(ours), Some(theirs)) if ours.epoch != theirs.epoch => {
                Self::Follow { sets_aside: true }
            }
            (Some(ours), Some(theirs)) if ours.version > theirs.version => Self::Restore,
            (Some(ours), Some(theirs)) => Self::Follow {
                sets_aside: ours.version == theirs.version,
            },
        }
    }
}

/// The cluster that this gateway is in.
pub(crate) struct Cluster {
    pub(crate) connection: Connection,
    ledger: Ledger,
    shelf: Shelf,
    members: Members,
    /// What this gateway has of the state.
    replica: Mutex<Replica>,
    /// The gateways that there are or were, as was heard last.
    gateways: Mutex<Vec<Heard>>,
    /// Where components are, once it has started.
    host: OnceLock<Arc<Host>>,
    /// Where the admin listener is, once it is bound.
    admin: OnceLock<SocketAddr>,
    /// Whether files have changed what the server could not be told of.
    pub(crate) has_missed: AtomicBool,
    /// The data folder, if there is one.
    data: Option<PathBuf>,
}

impl Cluster {
    /// What this gateway has of the state.
    pub(crate) fn replica(&self) -> Replica {
        self.replica
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Which state this gateway has.
    pub(crate) fn revision(&self) -> Option<Revision> {
        let replica = self.replica.lock().unwrap_or_else(PoisonError::into_inner);
        replica.revision.clone()
    }

    /// This gateway has this state from now on.
    pub(crate) fn has(&self, state: &State) {
        let mut replica = self.replica.lock().unwrap_or_else(PoisonError::into_inner);
        replica.revision = Some(state.revision.clone());
        replica.fields.clone_from(&state.fields);
    }

    /// What this gateway has is not wholly what it says: have the server say it
    /// again.
    pub(crate) fn doubt(&self) {
        let mut replica = self.replica.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(revision) = &mut replica.revision {
            revision.commit.clear();
        }
    }

    /// The gateways that there are, by name, and those that fell silent.
    pub(crate) fn gateways(&self) -> Vec<Heard> {
        self.gateways
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Commit a change: the state with it; none when it changes nothing there. Only
    /// who has the turn may call it.
    pub(crate) async fn commit(&self, edited: &Edited) -> Result<Option<State>, ClusterError> {
        let unwritten = |error: serde_json::Error| ClusterError::Refused(error.to_string());
        let delta = edited.delta().map_err(unwritten)?;
        if delta.is_empty() {
            return Ok(None);
        }
        let replica = self.replica();
        let Some(base) = replica.revision.as_ref() else {
            let message = "this gateway has not joined the cluster yet".to_owned();
            return Err(ClusterError::Refused(message));
        };
        let state = State {
            revision: base.next(self.connection.name()),
            fields: replica.with(&delta),
        };
        let components = self.components(&replica.fields, &state.fields).await?;
        let revisions = (base, &state.revision);
        match self.ledger.commit(revisions, &delta, &components).await {
            Ok(Committed::Done) => Ok(Some(state)),
            Ok(Committed::Moved) => Err(ClusterError::Moved),
            Err(Failure::Unanswered(why)) => {
                let settling = self.settle(base, &state.revision);
                match time::timeout(SETTLE, settling).await {
                    Ok(Some(true)) => Ok(Some(state)),
                    Ok(Some(false)) => Err(ClusterError::Moved),
                    Ok(None) | Err(_) => Err(ClusterError::Unknown(why)),
                }
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Learn what became of a commit: whether it was done. What is still on its way
    /// is kept from being done later by a change of nothing, before which it was to
    /// come. None when somebody else came in between.
    async fn settle(&self, base: &Revision, wanted: &Revision) -> Option<bool> {
        let mut standings = self.connection.standings();
        loop {
            // The connection that did not answer is given up within a second.
            if standings.wait_for(Standing::is_connected).await.is_err() {
                return None;
            }
            match self.ledger.revision().await {
                Ok(Some(there)) if there == *wanted => return Some(true),
                Ok(Some(there)) if there == *base => {
                    let fence = base.next(self.connection.name());
                    let (none, nothing) = (Delta::new(), Components::default());
                    let fencing = self.ledger.commit((base, &fence), &none, &nothing);
                    if let Ok(Committed::Done) = fencing.await {
                        return Some(false);
                    }
                }
                Ok(_) => return None,
                Err(_) => time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Have every component in the server that comes to be named; those that are
    /// named no more go with the change.
    async fn components(
        &self,
        before: &Fields,
        after: &Fields,
    ) -> Result<Components, ClusterError> {
        let digests = |fields: &Fields| -> Vec<Digest> {
            versions_of(fields).map(|(_, digest)| digest).collect()
        };
        let (old, new) = (digests(before), digests(after));
        let mut components = Components::default();
        for (plugin, digest) in versions_of(after) {
            if old.contains(&digest) {
                continue;
            }
            let kept = self.load(plugin.as_str(), digest).await?;
            self.shelf
                .put(digest, &kept)
                .await
                .map_err(|failure| put_failed(&failure))?;
            components.stay.extend(self.shelf.keys(digest));
        }
        let gone = old.into_iter().filter(|digest| !new.contains(digest));
        components.go = gone.flat_map(|digest| self.shelf.keys(digest)).collect();
        Ok(components)
    }

    /// A component of this gateway's.
    async fn load(&self, plugin: &str, digest: Digest) -> Result<Kept, ClusterError> {
        let host = self.host.get().cloned();
        let plugin = plugin.into();
        let loading = tokio::task::spawn_blocking(move || {
            let host = host.ok_or_else(|| std::io::Error::other("the host does not run yet"))?;
            let component = host.component(&plugin, digest)?;
            let signature = host.signature(digest);
            Ok::<_, std::io::Error>(Kept {
                component,
                signature,
            })
        });
        let loaded = loading.await.map_err(std::io::Error::other).flatten();
        loaded.map_err(|error| {
            ClusterError::Refused(format!("the component {digest} cannot be read: {error}"))
        })
    }
}

/// A component that may or may not be there harms nobody: nothing names it.
fn put_failed(failure: &Failure) -> ClusterError {
    ClusterError::Refused(failure.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Course, Revision};

    fn revision(epoch: &str, version: u64, commit: &str) -> Revision {
        Revision {
            epoch: epoch.to_owned(),
            version,
            commit: commit.to_owned(),
        }
    }

    #[test]
    fn the_highest_version_wins_and_of_two_the_server() {
        let ours = revision("a", 7, "x");
        let with = |theirs: &Revision| Course::of(Some(&ours), Some(theirs));
        assert_eq!(with(&ours), Course::Stay);
        assert_eq!(with(&revision("a", 6, "y")), Course::Restore);
        let follow = |sets_aside| Course::Follow { sets_aside };
        assert_eq!(with(&revision("a", 8, "y")), follow(false));
        assert_eq!(with(&revision("a", 7, "y")), follow(true));
        // Another cluster's is not overwritten, however old it is.
        assert_eq!(with(&revision("b", 1, "y")), follow(true));
        assert_eq!(Course::of(Some(&ours), None), Course::Restore);
        assert_eq!(Course::of(None, Some(&ours)), follow(true));
        assert_eq!(Course::of(None, None), Course::Seed);
    }
}
