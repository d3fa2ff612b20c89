//! The ages of what lies in a few places, so that none of it has to be moved when
//! something goes.

/// Probes in the pool, as in the paper; and as many as fit.
pub(crate) const MOST: usize = 16;

/// A one in each place's four bits.
const ONES: u64 = 0x1111_1111_1111_1111;

/// Which places are taken, by the age of what lies there: four bits for each, the
/// oldest in the lowest ones. So probes come and go without being moved.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ages {
    places: u64,
    pub(crate) count: usize,
    /// A bit for each place that is taken.
    taken: u16,
}

impl Ages {
    /// The place of the probe number `number`; the oldest is number 0.
    #[inline]
    pub(crate) fn place(self, number: usize) -> usize {
        (self.places >> (4 * number)) as usize % MOST
    }

    /// The places that are taken, by age.
    #[inline]
    pub(crate) fn places(self) -> impl Iterator<Item = usize> {
        let mut places = self.places;
        (0..self.count).map(move |_| {
            let place = places as usize % MOST;
            places >>= 4;
            place
        })
    }

    /// Whether something lies at a place.
    #[inline]
    pub(crate) fn is_taken(self, place: usize) -> bool {
        self.taken & (1 << place) != 0
    }

    /// The number of what lies at a place that is taken.
    #[inline]
    pub(crate) fn number(self, place: usize) -> usize {
        // Four bits that are the place's become nought, and the lowest such four
        // are the first ones to borrow: all numbers are looked at in one.
        let others = self.places ^ (ONES * place as u64);
        let borrowed = others.wrapping_sub(ONES) & !others & (ONES << 3);
        borrowed.trailing_zeros() as usize / 4
    }

    /// Some place that is not taken, of which there has to be one.
    pub(crate) fn free(self) -> usize {
        self.taken.trailing_ones() as usize
    }

    /// What lies at that place now is the youngest.
    pub(crate) fn push(&mut self, place: usize) {
        self.places |= (place as u64) << (4 * self.count);
        self.count += 1;
        self.taken |= 1 << place;
    }

    /// Let a place be free, and say which.
    pub(crate) fn remove(&mut self, number: usize) -> usize {
        let place = self.place(number);
        let older = (1 << (4 * number)) - 1;
        self.places = (self.places & older) | ((self.places >> 4) & !older);
        self.count -= 1;
        self.taken &= !(1 << place);
        place
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Ages, MOST};

    proptest! {
        #[test]
        fn ages_are_a_list(moves in prop::collection::vec(any::<Option<prop::sample::Index>>(), 0..99)) {
            let (mut ages, mut list) = (Ages::default(), Vec::new());
            for taken in moves {
                match taken {
                    Some(index) if !list.is_empty() => {
                        let number = index.index(list.len());
                        prop_assert_eq!(ages.remove(number), list.remove(number));
                    }
                    _ if list.len() < MOST => {
                        let place = ages.free();
                        prop_assert!(!list.contains(&place));
                        ages.push(place);
                        list.push(place);
                    }
                    _ => {}
                }
                let places: Vec<_> = (0..ages.count).map(|number| ages.place(number)).collect();
                prop_assert_eq!(&places, &list);
                prop_assert_eq!(&ages.places().collect::<Vec<_>>(), &list);
                for place in 0..MOST {
                    let number = list.iter().position(|taken| *taken == place);
                    prop_assert_eq!(ages.is_taken(place), number.is_some());
                    prop_assert!(number.is_none_or(|number| ages.number(place) == number));
                }
            }
        }
    }
}
