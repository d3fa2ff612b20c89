//! How an occupant becomes what an update says: as it was, or with a new instance
//! that is handed what the old one learned.

use std::sync::Arc;

use gatewright_model::id::PoolIndex;
use gatewright_model::snapshot::Snapshot;

use super::Occupant;
use crate::binding::Binding;
use crate::instance::{Assignment, Budget, Instance};

/// What an occupant is to be after a change.
pub(crate) struct OccupantUpdate {
    pub(crate) binding: Arc<Binding>,
    pub(crate) worker: usize,
    /// The binding's pool in the snapshot.
    pub(crate) pool: Option<PoolIndex>,
    /// A new instance; none to go on with the one that there is.
    pub(crate) instance: Option<Instance>,
}

impl Occupant {
    /// One as an update says, without a past.
    pub(crate) fn fresh(update: OccupantUpdate, snapshot: &Arc<Snapshot>) -> Self {
        let pool = update.pool.and_then(|pool| snapshot.pool(pool));
        let assignment = Assignment {
            binding: update.binding,
            worker: update.worker,
            snapshot: Arc::clone(snapshot),
            pool: pool.cloned(),
            recording: None,
        };
        Self::new(assignment, update.instance)
    }

    /// Whether this is the past of what an update says: the same binding,
    /// or a predecessor of the new instance at the same place.
    pub(crate) fn precedes(&self, update: &OccupantUpdate) -> bool {
        match update.instance {
            None => Arc::ptr_eq(&self.binding, &update.binding),
            Some(_) => self.binding.place() == update.binding.place(),
        }
    }

    /// Become what an update says, with this one's past if it is one.
    pub(crate) fn renew(&mut self, update: OccupantUpdate, snapshot: &Arc<Snapshot>) {
        if !self.precedes(&update) {
            *self = Self::fresh(update, snapshot);
        } else if update.instance.is_some() {
            *self = self.teach(update, snapshot);
        } else {
            self.snapshot = Arc::clone(snapshot);
            self.pool = update.pool.and_then(|pool| snapshot.pool(pool)).cloned();
            if let Some(instance) = &mut self.instance {
                instance.show(snapshot, self.pool.as_ref());
            }
        }
    }

    /// What an update says, beside this one and with what it has learned.
    pub(crate) fn teach(&mut self, mut update: OccupantUpdate, snapshot: &Arc<Snapshot>) -> Self {
        if let Some(mut instance) = update.instance.take() {
            let alive = self.hand_over(&mut instance);
            update.instance = alive.then_some(instance);
        }
        let mut taught = Self::fresh(update, snapshot);
        taught.go_on_recording(self);
        taught
    }

    /// Have the old instance save and the new one restore; returns whether the
    /// new one is alive. What fails here is logged: the seat can do without.
    pub(super) fn hand_over(&mut self, to: &mut Instance) -> bool {
        let Some(from) = &mut self.instance else {
            return true;
        };
        if self.binding.is_quarantined() {
            return true;
        }
        let saved = match from.save(Budget::ON_WORKER) {
            Ok(Some(saved)) => saved,
            Ok(None) => return true,
            Err(failure) => {
                self.binding.note_handover("save", &failure);
                return true;
            }
        };
        let restored = to.restore((saved.0, &saved.1), Budget::ON_WORKER);
        restored
            .inspect_err(|failure| self.binding.note_handover("restore", failure))
            .is_ok()
    }
}
