//! Where a change is kept before it is in force: in the store, and in a cluster
//! before that in the cluster's server, which has the last word.

use std::sync::Arc;

use gatewright_cluster::State;

use crate::cluster::{Cluster, ClusterError};
use crate::store::{Edited, Entry, Store, StoreError};

/// What is to be kept.
#[derive(Debug)]
pub(crate) enum Kept {
    /// A change of this gateway.
    Made(Edited),
    /// What the cluster has.
    Followed(Box<State>, Entry),
}

impl Kept {
    /// What is noted of it.
    pub(crate) fn entry(&mut self) -> &mut Entry {
        match self {
            Self::Made(edited) => &mut edited.entry,
            Self::Followed(_, entry) => entry,
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
}

impl Keeper {
    /// Keep this. Only who has the turn may call it.
    pub(crate) async fn keep(&self, kept: Kept) -> Result<(), KeepError> {
        let (state, entry) = match (kept, &self.cluster) {
            (Kept::Made(edited), None) => return Ok(self.store.keep(edited).await?),
            (Kept::Made(edited), Some(cluster)) => match cluster.commit(&edited).await? {
                // It changes nothing that the cluster has.
                None => return Ok(self.store.keep(edited).await?),
                Some(state) => (state, edited.entry),
            },
            (Kept::Followed(state, entry), _) => (*state, entry),
        };
        if let Some(cluster) = &self.cluster {
            cluster.has(&state);
        }
        // It is kept in the cluster, so that it counts; a start reads it from there.
        if let Err(error) = self.store.take_over(state, entry).await {
            tracing::error!(%error, "the cluster's state is in force and not on the disk");
        }
        Ok(())
    }
}
