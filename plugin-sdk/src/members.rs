//! The pool as `update` and `eligible` tell it, kept in the shape that
//! decisions need: which slot is what, and which slots may be picked.

use alloc::vec::Vec;

use crate::{Endpoint, Slot};

/// A pool's members and which of them may take new work.
///
/// Hand it what [`Balancer::update`](crate::Balancer::update) and
/// [`eligible`](crate::Balancer::eligible) bring. Looking a slot up is one
/// index into a vector.
#[derive(Clone, Debug, Default)]
pub struct Members {
    endpoints: Vec<Endpoint>,
    /// For each slot, its place in `endpoints`, or [`NOWHERE`].
    places: Vec<u32>,
    /// For each place in `endpoints`, whether it may be picked.
    flags: Vec<bool>,
    /// The slots that may be picked, in the order of `endpoints`.
    eligible: Vec<Slot>,
}

const NOWHERE: u32 = u32::MAX;

impl Members {
    /// Replace the members. Those that stay remain as eligible as they were;
    /// new ones wait for [`set_eligible`](Self::set_eligible).
    pub fn update(&mut self, endpoints: Vec<Endpoint>) {
        let slots = core::mem::take(&mut self.eligible);
        let highest = endpoints.iter().map(|endpoint| endpoint.slot).max();
        self.places.clear();
        self.places
            .resize(highest.map_or(0, |slot| slot as usize + 1), NOWHERE);
        for (place, endpoint) in (0..).zip(&endpoints) {
            self.places[endpoint.slot as usize] = place;
        }
        self.endpoints = endpoints;
        self.set_eligible(&slots);
    }

    /// Say which slots may take new work; slots of no member are ignored.
    pub fn set_eligible(&mut self, slots: &[Slot]) {
        self.flags.clear();
        self.flags.resize(self.endpoints.len(), false);
        for slot in slots {
            if let Some(place) = self.place(*slot) {
                self.flags[place] = true;
            }
        }
        let mut eligible = core::mem::take(&mut self.eligible);
        eligible.clear();
        eligible.extend(self.eligible_endpoints().map(|endpoint| endpoint.slot));
        self.eligible = eligible;
    }

    /// Every member, in the order in which the gateway told them.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The slots that may take new work, in the members' order.
    pub fn eligible(&self) -> &[Slot] {
        &self.eligible
    }

    /// The members that may take new work, in the members' order.
    pub fn eligible_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let flagged = self.endpoints.iter().zip(&self.flags);
        flagged.filter(|(_, flag)| **flag).map(|(one, _)| one)
    }

    /// Whether a slot may take new work.
    #[inline]
    pub fn is_eligible(&self, slot: Slot) -> bool {
        self.place(slot).is_some_and(|place| self.flags[place])
    }

    /// A slot's place in [`endpoints`](Self::endpoints).
    #[inline]
    pub fn place(&self, slot: Slot) -> Option<usize> {
        let place = *self.places.get(slot as usize)?;
        (place != NOWHERE).then_some(place as usize)
    }

    /// The endpoint of a slot.
    #[inline]
    pub fn endpoint(&self, slot: Slot) -> Option<&Endpoint> {
        self.endpoints.get(self.place(slot)?)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::Members;
    use crate::testing::endpoint;

    #[test]
    fn slots_with_gaps_are_found() {
        let mut members = Members::default();
        members.update(vec![endpoint(7, 1), endpoint(2, 3)]);
        assert_eq!(members.endpoint(2).unwrap().weight, 3);
        assert!(members.endpoint(3).is_none());
        assert!(members.endpoint(900).is_none());
    }

    #[test]
    fn eligibility_outlives_a_change_of_members() {
        let mut members = Members::default();
        members.update(vec![endpoint(0, 1), endpoint(1, 1)]);
        members.set_eligible(&[1, 0, 44]);
        assert_eq!(members.eligible(), [0, 1]);
        members.update(vec![endpoint(1, 5), endpoint(2, 1)]);
        assert_eq!(members.eligible(), [1]);
        assert!(!members.is_eligible(0) && !members.is_eligible(2));
    }
}
