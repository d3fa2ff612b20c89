//! Turns by weight, spread out: an endpoint of weight 3 gets three where one of
//! weight 1 gets one, and they come apart, not in a row.
//!
//! Picture a circle. An endpoint of weight `w` has `w` marks on it, evenly
//! spread, at (2k − 1) / 2w of the way round. A hand goes round and stops at
//! every mark; the endpoint whose mark it is has its turn. (This is
//! earliest-deadline-first scheduling, as Envoy's weighted round robin does it,
//! but on exact fractions.) One round is the sum of the weights, so any window
//! of that many turns, wherever it begins, meets every weight exactly.
//!
//! The hand's place is the whole state: endpoints come and go, weights change,
//! a successor takes over, and the hand goes on from where it is. A heap finds
//! the next mark, so a turn costs the logarithm of the pool's size.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::{Candidate, Slot};

/// Smooth weighted round robin over some endpoints.
#[derive(Clone, Debug, Default)]
pub struct Circle {
    /// The next mark of every endpoint, the nearest on top.
    marks: BinaryHeap<Mark>,
    /// The mark that was stopped at last; none before the first turn.
    hand: Option<Hand>,
}

impl Circle {
    /// Let these take turns from now on: each with a number that is its own and
    /// the same on every worker, such as the [`hash`](crate::hash) of its id,
    /// by which marks at the same place follow each other.
    pub fn place(&mut self, endpoints: impl Iterator<Item = (Candidate, u64)>) {
        let hand = self.hand.unwrap_or_default();
        let marks = endpoints.map(|(one, tie)| Mark::after(hand, one.slot, one.weight, tie));
        // The heap's memory is used again.
        let mut heap = core::mem::take(&mut self.marks).into_vec();
        heap.clear();
        heap.extend(marks);
        self.marks = heap.into();
    }

    /// Put the hand to some place that follows from a random number, unless it
    /// has a place: so workers do not all begin alike.
    #[inline]
    pub fn begin(&mut self, random: u64) {
        if self.hand.is_none() {
            self.put_hand(Hand::at(random));
        }
    }

    /// The endpoint whose turn it is; none if there are no endpoints.
    #[inline]
    pub fn advance(&mut self) -> Option<Slot> {
        let mut mark = self.marks.peek_mut()?;
        let slot = mark.slot;
        self.hand = Some(mark.hand());
        mark.advance();
        Some(slot)
    }

    /// The endpoint of the next mark that is not among `tried`. When that is
    /// not the very next one, the hand stays, so that nobody loses a turn.
    pub fn retry(&mut self, tried: &[Slot]) -> Option<Slot> {
        if !tried.contains(&self.marks.peek()?.slot) {
            return self.advance();
        }
        let untried = self.marks.iter().filter(|mark| !tried.contains(&mark.slot));
        // Of two marks the greater is the nearer.
        untried.max().map(|mark| mark.slot)
    }

    /// The hand's place for a successor; empty before the first turn.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hand
            .map_or_else(Vec::new, |hand| hand.to_bytes().to_vec())
    }

    /// Go on from a predecessor's place. Whether the bytes are one.
    #[must_use]
    pub fn restore(&mut self, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        let hand = Hand::from_bytes(bytes);
        if let Some(hand) = hand {
            self.put_hand(hand);
        }
        hand.is_some()
    }

    fn put_hand(&mut self, hand: Hand) {
        self.hand = Some(hand);
        let marks = core::mem::take(&mut self.marks).into_vec().into_iter();
        let marks = marks.map(|mark| Mark::after(hand, mark.slot, mark.weight as u32, mark.tie));
        self.marks = marks.collect();
    }
}

/// A place on the circle: `part / whole` of the way round. Marks at the same
/// place follow each other by `tie`, which is made of the endpoint's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Hand {
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
    fn at(random: u64) -> Self {
        Self {
            part: random % PLACES,
            whole: PLACES,
            tie: 0,
        }
    }

    /// As bytes, for a successor.
    fn to_bytes(self) -> [u8; 24] {
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
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
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
struct Mark {
    /// The endpoint.
    slot: Slot,
    /// How many times the hand has to pass the circle's beginning first.
    round: u64,
    /// 2k − 1 for the endpoint's mark number k; its place is `odd / 2 weight`.
    odd: u64,
    weight: u64,
    tie: u64,
}

impl Mark {
    /// The first mark of an endpoint that lies after the hand.
    fn after(hand: Hand, slot: Slot, weight: u32, tie: u64) -> Self {
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
    fn advance(&mut self) {
        self.odd += 2;
        self.begin_round();
    }

    /// The hand when it stops at this mark.
    fn hand(&self) -> Hand {
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
