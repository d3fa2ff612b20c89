//! The Maglev table: every endpoint has an order of its own in which it would
//! like the table's places. They take turns by weight, and each takes the first
//! place in its order that is free.

use gatewright_plugin_sdk::{Candidate, Circle, Slot, mix};

/// An endpoint, by its slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// Made of the endpoint's id, so that the table does not depend on slots,
    /// on the order of the list or on this process.
    pub(crate) seed: u64,
    /// 0 where there is no endpoint.
    pub(crate) weight: u32,
}

impl Member {
    /// What stands for a slot without an endpoint.
    pub(crate) const NOBODY: Self = Self { seed: 0, weight: 0 };
}

/// The slots of the endpoints, place by place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Maglev {
    places: Vec<Slot>,
}

const FREE: Slot = Slot::MAX;

impl Maglev {
    /// A table of a prime size for these members, by slot; empty if there are none.
    pub(crate) fn of(size: u32, members: &[Member]) -> Self {
        let there = (0..).zip(members).filter(|(_, member)| member.weight > 0);
        let mut orders: Vec<_> = members
            .iter()
            .map(|one| Order::of(one.seed, size))
            .collect();
        let mut turns = Circle::default();
        turns.place(there.map(|(slot, member)| {
            let weight = member.weight;
            (Candidate { slot, weight }, member.seed)
        }));
        let mut places = vec![FREE; size as usize];
        for _ in 0..size {
            let Some(slot) = turns.advance() else {
                return Self::default();
            };
            let order = &mut orders[slot as usize];
            while places[order.next as usize] != FREE {
                order.advance(size);
            }
            places[order.next as usize] = slot;
        }
        Self { places }
    }

    /// The endpoints of a hash without end, the one that it belongs to first.
    /// Each further place is drawn anew: the next one in the table would often
    /// be the same endpoint's, since their orders are regular. Empty where the
    /// table is.
    pub(crate) fn walk(&self, hash: u64) -> impl Iterator<Item = Slot> {
        let count = self.places.len() as u128;
        let hashes = std::iter::successors(Some(hash), |hash| Some(mix(*hash)));
        hashes.map_while(move |hash| {
            let place = (u128::from(hash) * count) >> 64;
            self.places.get(place as usize).copied()
        })
    }

    #[cfg(test)]
    pub(crate) fn places(&self) -> &[Slot] {
        &self.places
    }
}

/// An endpoint's order of the places: each `skip` after the one before. Since
/// the size is a prime, it meets all of them.
struct Order {
    next: u32,
    skip: u32,
}

impl Order {
    fn of(seed: u64, size: u32) -> Self {
        let below = |hash: u64, bound: u32| (((hash >> 32) * u64::from(bound)) >> 32) as u32;
        Self {
            next: below(mix(seed), size),
            skip: below(mix(!seed), size - 1) + 1,
        }
    }

    fn advance(&mut self, size: u32) {
        let next = self.next + self.skip;
        self.next = if next < size { next } else { next - size };
    }
}
