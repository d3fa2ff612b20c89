//! Where a change is kept before it is in force: in the store, and in a cluster
//! before that in the cluster's server, which has the last word. What is at hand of
//! what is kept is what was kept last, also where the disk did not take it.

use std::sync::Arc;

use gatewright_cluster::State;

use crate::access::Access;
use crate::catalog::Catalog;
use crate::cluster::{Cluster, ClusterError, Ticket};
use crate::session_names::SessionNames;
use crate::store::{Contents, Edited, Entry, Store, StoreError};

/// What is to be kept.
#[derive(Debug)]
pub(crate) enum Kept {
    /// A change of this gateway, and what it stands in the cluster's line with.
    Made(Box<Edited>, Option<Ticket>),
    /// What the cluster has.
    Followed(Box<Followed>),
}

/// A state that the cluster has.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    pub(crate) state: State,
    /// What it says.
    pub(crate) contents: Contents,
    /// What is noted of it.
    pub(crate) entry: Entry,
}

impl Kept {
    /// What is noted of it.
    pub(crate) fn entry(&mut self) -> &mut Entry {
        match self {
            Self::Made(edited, _) => &mut edited.entry,
            Self::Followed(followed) => &mut followed.entry,
        }
    }
}

/// Why it is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Keeps changes.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) store: Store,
    pub(crate) cluster: Option<Arc<Cluster>>,
    pub(crate) access: Arc<Access>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) session_names: Arc<SessionNames>,
}

impl Keeper {
    /// Keep this, and let it count. Only who has the turn may call it.
    pub(crate) async fn keep(&self, kept: Kept) -> Result<(), KeepError> {
        match kept {
            Kept::Made(edited, ticket) => {
                let records = edited.records.clone();
                let committed = match &self.cluster {
                    Some(cluster) => cluster.commit(&edited, ticket).await?,
                    None => None,
                };
                match committed {
                    Some(state) => self.copy(state, edited.entry).await,
                    // It changes nothing that others have.
                    None => self.store.keep(*edited).await?,
                }
                self.access.apply(&records);
                self.catalog.apply(&records);
            }
            Kept::Followed(followed) => {
                let Followed {
                    state,
                    contents,
                    entry,
                } = *followed;
                self.copy(state, entry).await;
                self.access.put(contents.tokens);
                self.catalog.put(contents.versions, contents.histories);
                if let Some(key) = contents.session_key {
                    self.session_names.put(key);
                }
            }
        }
        Ok(())
    }

    /// Have a copy of what the cluster has. It is kept there, so that it counts
    /// whatever this gateway's disk says; a start reads it from there.
    async fn copy(&self, state: State, entry: Entry) {
        if let Some(cluster) = &self.cluster {
            cluster.has(&state);
        }
        if let Err(error) = self.store.take_over(state, entry).await {
            tracing::error!(%error, "the cluster's state is in force and not on the disk");
        }
    }
}
