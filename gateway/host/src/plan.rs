//! What a preparation brought: which version sits where, and what each worker
//! needs to have it so.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright_model::id::PoolName;
use gatewright_model::role::Role;

use crate::admission::Refusal;
use crate::binding::{Binding, Part, Place};
use crate::chain::ChainUpdate;
use crate::sessions::Sessions;

/// Which version sits where, for one snapshot.
#[derive(Default)]
pub struct Plan {
    pub(crate) bindings: Vec<Arc<Binding>>,
    pub(crate) sessions: HashMap<PoolName, Arc<Sessions>>,
    /// The pools' tables that instances were made for.
    pub(crate) tables: HashMap<PoolName, u64>,
}

impl Plan {
    /// All bindings: policies in their order, the router, then pool by pool.
    pub fn bindings(&self) -> &[Arc<Binding>] {
        &self.bindings
    }

    /// Who decides as a pool's balancer.
    pub fn balancer(&self, pool: &PoolName) -> Option<&Arc<Binding>> {
        self.bindings.iter().find(|binding| {
            let place = binding.place();
            place.role == Role::Balancer
                && place.part == Part::Active
                && place.pool.as_ref() == Some(pool)
        })
    }

    /// The sessions of a pool.
    pub fn sessions(&self, pool: &PoolName) -> Option<&Arc<Sessions>> {
        self.sessions.get(pool)
    }

    /// The binding at a place.
    pub(crate) fn at(&self, place: &Place) -> Option<&Arc<Binding>> {
        self.bindings
            .iter()
            .find(|binding| binding.place() == place)
    }
}

/// Everything that a snapshot needs of plugins.
pub struct Prepared {
    /// Which version sits where; what the next preparation is given.
    pub plan: Plan,
    /// What to give each worker, by worker.
    pub chains: Vec<ChainUpdate>,
}

/// Why a snapshot cannot be prepared: nothing is changed then.
#[derive(Debug, thiserror::Error)]
#[error("{place}: plugin \"{}\": {refusal}", place.plugin)]
pub struct PrepareError {
    /// The seat and the plugin, as the configuration names them.
    pub place: Place,
    /// What is wrong and what would be right.
    pub refusal: Refusal,
}
