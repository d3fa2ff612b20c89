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

    /// All values as numbers, with whose they are, for a successor: a row each,
    /// of the hash of the endpoint's id and the numbers, 8 bytes each, little end
    /// first. Slots are not in it, since a successor may have others.
    pub fn save<const N: usize>(&self, numbers: impl Fn(&T) -> [f64; N]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in self.entries.iter().flatten() {
            bytes.extend(entry.owner.to_le_bytes());
            let numbers = numbers(&entry.value).into_iter();
            bytes.extend(numbers.flat_map(f64::to_le_bytes));
        }
        bytes
    }

    /// Take a predecessor's rows over, each by the endpoint of its id if it is
    /// still there. Whether all of them are possible; none is taken over if not.
    #[must_use]
    pub fn restore<const N: usize>(
        &mut self,
        bytes: &[u8],
        is_possible: impl Fn([f64; N]) -> bool,
        mut take: impl FnMut(&mut T, [f64; N]),
    ) -> bool {
        let rows = bytes.chunks(8 * (N + 1)).map(row::<N>);
        let rows = rows.map(|row| row.filter(|(_, numbers)| is_possible(*numbers)));
        let Some(mut rows) = rows.collect::<Option<Vec<_>>>() else {
            return false;
        };
        rows.sort_unstable_by_key(|(owner, _)| *owner);
        for entry in self.entries.iter_mut().flatten() {
            let place = rows.binary_search_by_key(&entry.owner, |(owner, _)| *owner);
            if let Ok(place) = place {
                take(&mut entry.value, rows[place].1);
            }
        }
        true
    }
}

/// A saved row: whose it is, and the numbers; none if it is cut off.
fn row<const N: usize>(bytes: &[u8]) -> Option<(u64, [f64; N])> {
    let (fields, []) = bytes.as_chunks::<8>() else {
        return None;
    };
    let (owner, numbers) = fields.split_first()?;
    let numbers: &[[u8; 8]; N] = numbers.try_into().ok()?;
    Some((u64::from_le_bytes(*owner), numbers.map(f64::from_le_bytes)))
}

#[cfg(test)]
mod tests {
    use super::Ledger;
    use crate::Endpoint;
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

    #[test]
    fn a_successor_has_what_was_known_of_those_that_are_still_there() {
        let mut before = Ledger::default();
        before.keep(&[endpoint(0, 1), endpoint(1, 1)], |new| f64::from(new.slot));
        *before.get_mut(1).unwrap() = 7.5;
        let saved = before.save(|value| [*value]);

        // The same endpoint has another slot, and one is new.
        let mut after = Ledger::default();
        let moved = Endpoint {
            slot: 4,
            ..endpoint(1, 1)
        };
        after.keep(&[moved, endpoint(2, 1)], |_| -1.0);
        assert!(after.restore(&saved, |_| true, |value, [saved]| *value = saved));
        assert_eq!((after.get(4), after.get(2)), (Some(&7.5), Some(&-1.0)));

        let take = |value: &mut f64, [saved]: [f64; 1]| *value = saved;
        assert!(!after.restore(&saved[1..], |_| true, take));
        assert!(!after.restore(&saved, |[value]| value < 7.0, take));
        assert!(after.restore(&[], |[_]| false, take));
        assert_eq!((after.get(4), after.get(2)), (Some(&7.5), Some(&-1.0)));
    }
}
