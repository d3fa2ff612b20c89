//! The circle: where an endpoint's marks are and which comes next.

use std::cmp::Ordering;

use gatewright_plugin_sdk::Slot;

/// A place on the circle: `part / whole` of the way round. Marks at the same
/// place follow each other by `tie`, which is made of the endpoint's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Hand {
    part: u64,
    whole: u64,
    tie: u64,
}

/// Into how many places the circle is divided for a first place.
const PLACES: u64 = 1 << 16;

/// The largest `whole`: twice the largest weight. Products of two of them are
/// far from overflowing.
const LARGEST_WHOLE: u64 = 2 * 65_535;

impl Default for Hand {
    fn default() -> Self {
        Self {
            part: 0,
            whole: 1,
            tie: 0,
        }
    }
}

impl Hand {
    /// Some place that follows from a random number.
    pub(crate) fn at(random: u64) -> Self {
        Self {
            part: random % PLACES,
            whole: PLACES,
            tie: 0,
        }
    }

    /// As bytes, for a successor.
    pub(crate) fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        for (field, number) in bytes
            .chunks_exact_mut(8)
            .zip([self.part, self.whole, self.tie])
        {
            field.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// From a predecessor's bytes; none when they are no place on the circle.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (fields, []) = bytes.as_chunks::<8>() else {
            return None;
        };
        let &[part, whole, tie] = fields else {
            return None;
        };
        let [part, whole, tie] = [part, whole, tie].map(u64::from_le_bytes);
        let possible = (1..=LARGEST_WHOLE).contains(&whole) && part <= whole;
        possible.then_some(Self { part, whole, tie })
    }
}

/// An endpoint's next mark. The greater of two marks is the nearer one, as the
/// standard library's heap has the greatest on top.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// The endpoint.
    pub(crate) slot: Slot,
    /// How many times the hand has to pass the circle's beginning first.
    round: u64,
    /// 2k − 1 for the endpoint's mark number k; its place is `odd / 2 weight`.
    odd: u64,
    weight: u64,
    tie: u64,
}

impl Mark {
    /// The first mark of an endpoint that lies after the hand.
    pub(crate) fn after(hand: Hand, slot: Slot, weight: u32, tie: u64) -> Self {
        let weight = u64::from(weight.max(1));
        // The first odd number with odd / 2 weight >= part / whole.
        let reached = (2 * weight * hand.part).div_ceil(hand.whole);
        let mut mark = Self {
            slot,
            round: 0,
            odd: reached | 1,
            weight,
            tie,
        };
        let same_place = mark.odd * hand.whole == 2 * weight * hand.part;
        if same_place && tie <= hand.tie {
            mark.odd += 2;
        }
        mark.begin_round();
        mark
    }

    /// Go on to the endpoint's next mark.
    pub(crate) fn advance(&mut self) {
        self.odd += 2;
        self.begin_round();
    }

    /// The hand when it stops at this mark.
    pub(crate) fn hand(&self) -> Hand {
        Hand {
            part: self.odd,
            whole: 2 * self.weight,
            tie: self.tie,
        }
    }

    fn begin_round(&mut self) {
        if self.odd > 2 * self.weight {
            self.odd = 1;
            self.round += 1;
        }
    }
}

impl Ord for Mark {
    fn cmp(&self, other: &Self) -> Ordering {
        // a / b < c / d, without dividing: a · d < c · b.
        let place = (other.odd * self.weight).cmp(&(self.odd * other.weight));
        let nearer = other.round.cmp(&self.round).then(place);
        nearer
            .then(other.tie.cmp(&self.tie))
            .then(other.slot.cmp(&self.slot))
    }
}

impl PartialOrd for Mark {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Mark {}
