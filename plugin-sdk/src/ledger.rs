//! What a policy has learned of each endpoint, kept while endpoints come and go.

use alloc::vec::Vec;

use crate::{Endpoint, Slot, hash};

/// A value for each endpoint of a pool. Looking one up is one index into a
/// vector. An endpoint that leaves takes its value along: a slot that is given
/// to another one begins anew.
#[derive(Clone, Debug)]
pub struct Ledger<T> {
    /// By slot; none where there is no endpoint.
    entries: Vec<Option<Entry<T>>>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    /// The hash of the endpoint's id: whose value this is.
    owner: u64,
    value: T,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<T> Ledger<T> {
    /// Keep the values of these endpoints and forget those of all others; new
    /// ones begin with what `begin` says.
    pub fn keep(&mut self, endpoints: &[Endpoint], mut begin: impl FnMut(&Endpoint) -> T) {
        let highest = endpoints.iter().map(|endpoint| endpoint.slot).max();
        let width = highest.map_or(0, |slot| slot as usize + 1);
        let mut entries = Vec::new();
        entries.resize_with(width, || None);
        for endpoint in endpoints {
            let owner = hash(endpoint.id.as_bytes());
            let slot = endpoint.slot as usize;
            let known = self.entries.get_mut(slot).and_then(Option::take);
            let known = known.filter(|entry| entry.owner == owner);
            entries[slot] = Some(known.unwrap_or_else(|| Entry {
                owner,
                value: begin(endpoint),
            }));
        }
        self.entries = entries;
    }

    /// The value of a slot's endpoint; none where there is none.
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<&T> {
        let entry = self.entries.get(slot as usize)?.as_ref()?;
        Some(&entry.value)
    }

    /// The same, to be changed.
    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let entry = self.entries.get_mut(slot as usize)?.as_mut()?;
        Some(&mut entry.value)
    }

    /// All values, by slot.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let entries = self.entries.iter_mut().flatten();
        entries.map(|entry| &mut entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;
    use crate::testing::endpoint;

    #[test]
    fn what_is_known_outlives_a_change_of_members_and_not_its_endpoint() {
        let mut ledger = Ledger::default();
        ledger.keep(&[endpoint(0, 1), endpoint(2, 1)], |new| new.slot * 10);
        *ledger.get_mut(0).unwrap() += 7;
        assert_eq!((ledger.get(0), ledger.get(2)), (Some(&7), Some(&20)));

        // Another endpoint takes the place of slot 2.
        let mut other = endpoint(3, 1);
        other.slot = 2;
        ledger.keep(&[other, endpoint(0, 5)], |_| 99);
        assert_eq!((ledger.get(0), ledger.get(2)), (Some(&7), Some(&99)));
        ledger.keep(&[endpoint(2, 1)], |_| 1);
        assert_eq!((ledger.get(0), ledger.get(2)), (None, Some(&1)));
        assert_eq!(ledger.get(9), None);
    }
}
