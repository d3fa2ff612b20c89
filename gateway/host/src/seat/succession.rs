//! How a seat becomes what an update says: each occupant as it was or with a
//! new instance, and newcomers with what the one who decides has learned.

use std::sync::Arc;

use gatewright_model::snapshot::Snapshot;

use super::Seat;
use super::canary::{Canary, CanaryUpdate};
use super::shadow::{Shadow, ShadowUpdate};
use crate::occupant::Occupant;
pub(super) use crate::occupant::OccupantUpdate;

/// What a seat is to be after a change.
pub(crate) struct SeatUpdate {
    pub(crate) active: OccupantUpdate,
    pub(crate) canary: Option<CanaryUpdate>,
    pub(crate) shadow: Option<ShadowUpdate>,
}

impl Seat {
    /// A seat as an update says, without a past.
    pub(crate) fn fresh(update: SeatUpdate, snapshot: &Arc<Snapshot>) -> Self {
        let fresh = |update| Occupant::fresh(update, snapshot);
        Self {
            active: fresh(update.active),
            canary: update
                .canary
                .map(|canary| Canary::new(fresh(canary.occupant), canary.percent)),
            shadow: update
                .shadow
                .map(|shadow| Box::new(Shadow::new(fresh(shadow.occupant), shadow.sample))),
            was_canary: false,
        }
    }

    /// Whether this seat is the past of what an update says.
    pub(crate) fn precedes(&self, update: &SeatUpdate) -> bool {
        self.active.precedes(&update.active)
    }

    /// Become what an update says, with this seat's past if it is one.
    pub(crate) fn renew(&mut self, update: SeatUpdate, snapshot: &Arc<Snapshot>) {
        if !self.precedes(&update) {
            *self = Self::fresh(update, snapshot);
            return;
        }
        // Before the one that they learn from gives way itself.
        self.canary = update.canary.map(|canary| self.canary(canary, snapshot));
        self.shadow = update.shadow.map(|shadow| self.shadow(shadow, snapshot));
        self.active.renew(update.active, snapshot);
        self.was_canary = false;
    }

    fn canary(&mut self, update: CanaryUpdate, snapshot: &Arc<Snapshot>) -> Canary {
        let past = self.canary.take().map(|canary| canary.occupant);
        let occupant = self.beside(past, update.occupant, snapshot);
        Canary::new(occupant, update.percent)
    }

    fn shadow(&mut self, update: ShadowUpdate, snapshot: &Arc<Snapshot>) -> Box<Shadow> {
        match self.shadow.take() {
            Some(mut past) if is_same(&past.occupant, &update.occupant) => {
                past.occupant.renew(update.occupant, snapshot);
                Box::new(past.with_sample(update.sample))
            }
            _ => {
                let occupant = self.beside(None, update.occupant, snapshot);
                Box::new(Shadow::new(occupant, update.sample))
            }
        }
    }

    /// An occupant beside the one who decides: as it was, or with what the
    /// latter has learned.
    fn beside(
        &mut self,
        past: Option<Occupant>,
        update: OccupantUpdate,
        snapshot: &Arc<Snapshot>,
    ) -> Occupant {
        match past {
            Some(mut past) if is_same(&past, &update) => {
                past.renew(update, snapshot);
                past
            }
            _ => self.active.teach(update, snapshot),
        }
    }
}

/// Whether an occupant beside the one who decides goes on: another version
/// learns from the one who decides, and not from the one that it replaces.
fn is_same(past: &Occupant, update: &OccupantUpdate) -> bool {
    past.binding().version() == update.binding.version() && past.precedes(update)
}
