//! Endpoints to choose among: those that this attempt may use, and the less
//! loaded of two that are drawn at random.

use alloc::vec::Vec;

use crate::{Endpoint, Generator, Slot, load, request};

/// An endpoint that may be picked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// The endpoint.
    pub slot: Slot,
    /// Its weight: 1 to 65,535.
    pub weight: u32,
}

impl From<&Endpoint> for Candidate {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            slot: endpoint.slot,
            weight: endpoint.weight,
        }
    }
}

impl Candidate {
    /// Whether it has more active requests for its weight than another one.
    /// Asks the host twice.
    #[inline]
    pub fn is_busier_than(self, other: Self) -> bool {
        let load = |candidate: Self| u64::from(load::active(candidate.slot));
        // a / b > c / d, without dividing: a · d > c · b.
        load(self) * u64::from(other.weight) > load(other) * u64::from(self.weight)
    }
}

/// The endpoints that a pick may choose among. Gather them when the pool
/// changes, and ask for those that are left for each attempt.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    all: Vec<Candidate>,
    /// Those of `all` that the attempt at hand has not tried; kept for its memory.
    untried: Vec<Candidate>,
}

impl Candidates {
    /// Choose among these from now on.
    pub fn gather<'e>(&mut self, endpoints: impl Iterator<Item = &'e Endpoint>) {
        self.all.clear();
        self.all.extend(endpoints.map(Candidate::from));
    }

    /// All of them.
    pub fn all(&self) -> &[Candidate] {
        &self.all
    }

    /// Those that the attempt at hand may use: all on a first attempt, and the
    /// ones that were not tried on a later one.
    #[inline]
    pub fn for_attempt(&mut self) -> &[Candidate] {
        if request::attempt() <= 1 {
            return &self.all;
        }
        self.without(&request::tried())
    }

    /// Those that are not among `tried`.
    pub fn without(&mut self, tried: &[Slot]) -> &[Candidate] {
        self.untried.clear();
        let untried = self.all.iter().filter(|one| !tried.contains(&one.slot));
        self.untried.extend(untried);
        &self.untried
    }
}

/// Draw two different candidates and take the better one; of two equally good
/// ones the first drawn, so that chance decides. None if there are no candidates.
#[inline]
pub fn better_of_two(
    candidates: &[Candidate],
    generator: &mut Generator,
    is_worse: impl FnOnce(Candidate, Candidate) -> bool,
) -> Option<Candidate> {
    let count = candidates.len() as u32;
    if count < 2 {
        return candidates.first().copied();
    }
    let first = generator.below(count);
    // One of the others: those from the first on are one place further.
    let second = generator.below(count - 1);
    let second = second + u32::from(second >= first);
    let (first, second) = (candidates[first as usize], candidates[second as usize]);
    Some(if is_worse(first, second) {
        second
    } else {
        first
    })
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::{Candidates, better_of_two};
    use crate::testing::{self, endpoint};
    use crate::{Generator, Slot};

    fn slots(candidates: &[super::Candidate]) -> Vec<Slot> {
        candidates.iter().map(|candidate| candidate.slot).collect()
    }

    fn three() -> Candidates {
        testing::reset();
        let mut candidates = Candidates::default();
        candidates.gather([endpoint(4, 1), endpoint(1, 2), endpoint(2, 1)].iter());
        candidates
    }

    #[test]
    fn an_attempt_after_others_may_use_what_they_did_not() {
        let mut candidates = three();
        assert_eq!(slots(candidates.for_attempt()), [4, 1, 2]);
        testing::host(|host| host.request.tried = vec![1, 4]);
        assert_eq!(slots(candidates.for_attempt()), [2]);
        testing::reset();
        assert_eq!(slots(candidates.for_attempt()), [4, 1, 2]);
    }

    #[test]
    fn every_pair_is_drawn_and_the_better_one_taken() {
        let candidates = three();
        let mut generator = Generator::seeded(3);
        let mut drawn = Vec::new();
        for _ in 0..200 {
            let better = better_of_two(candidates.all(), &mut generator, |one, other| {
                drawn.push((one.slot, other.slot));
                one.slot > other.slot
            });
            let (one, other) = drawn[drawn.len() - 1];
            assert_eq!(better.unwrap().slot, one.min(other));
        }
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, [(1, 2), (1, 4), (2, 1), (2, 4), (4, 1), (4, 2)]);
    }

    #[test]
    fn weight_divides_load() {
        let candidates = three();
        testing::host(|host| host.active = vec![0, 3, 2, 0, 1]);
        let (four, one, two) = (
            candidates.all()[0],
            candidates.all()[1],
            candidates.all()[2],
        );
        assert!(one.is_busier_than(four) && two.is_busier_than(one));
        assert!(!one.is_busier_than(one));
    }
}
