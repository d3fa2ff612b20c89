//! The probe pool: what was learned of some endpoints lately, and whom of them to
//! choose.

use std::cmp::Ordering;

use gatewright_plugin_sdk::{Generator, Slot};

use crate::ages::{Ages, MOST};

/// What is known of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Probe {
    pub(crate) slot: Slot,
    /// Requests for a unit of its weight.
    pub(crate) in_flight: f64,
    pub(crate) latency_us: f64,
    /// What one more request adds to `in_flight`.
    pub(crate) each: f64,
    /// When it was true, in milliseconds of the host's clock.
    pub(crate) at_ms: u64,
    /// How many more picks may go by it before it counts as hot.
    pub(crate) uses: u32,
}

/// The latest probes, one of an endpoint at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    /// What lies where `ages` has no place is of no meaning.
    pool: [Probe; MOST],
    ages: Ages,
    /// Nothing in it is from before that, in milliseconds of the host's clock.
    since_ms: u64,
    /// Which one the next removal takes: the worst and the oldest by turns.
    takes_worst: bool,
    /// Requests in flight and what one more adds, the least first: those that may
    /// be hot, and what they are compared with. Kept for its memory.
    busiest: [(f64, f64); MOST],
}

impl Probes {
    /// Forget all of them.
    pub(crate) fn clear(&mut self) {
        self.ages = Ages::default();
    }

    /// Forget those that are from before a time.
    pub(crate) fn forget_before(&mut self, at_ms: u64) {
        if self.since_ms >= at_ms {
            return;
        }
        self.since_ms = u64::MAX;
        for number in (0..self.ages.count).rev() {
            let probe = &self.pool[self.ages.place(number)];
            if probe.at_ms < at_ms {
                self.ages.remove(number);
            } else {
                self.since_ms = self.since_ms.min(probe.at_ms);
            }
        }
    }

    /// Put one in, in place of what was known of its endpoint or of the oldest.
    pub(crate) fn add(&mut self, probe: Probe) {
        let mut numbers = 0..self.ages.count;
        let known = numbers.find(|number| self.pool[self.ages.place(*number)].slot == probe.slot);
        let place = match known {
            Some(number) => self.ages.remove(number),
            None if self.ages.count == MOST => self.ages.remove(0),
            None => self.ages.free(),
        };
        if self.ages.count == 0 {
            self.since_ms = u64::MAX;
        }
        self.since_ms = self.since_ms.min(probe.at_ms);
        self.pool[place] = probe;
        self.ages.push(place);
    }

    /// What is in it, the oldest first.
    #[cfg(test)]
    pub(crate) fn all(&self) -> Vec<Probe> {
        let numbers = 0..self.ages.count;
        let probes = numbers.map(|number| self.pool[self.ages.place(number)]);
        probes.collect()
    }

    /// Who takes a request, by the hot and cold rule with that quantile:
    /// chance decides among equally good ones. The request is added to what is
    /// known of it, and the pool loses one of the others.
    pub(crate) fn choose(&mut self, quantile: f64, generator: &mut Generator) -> Option<Slot> {
        if self.ages.count == 0 {
            return None;
        }
        let hot_from = self.hot_from(quantile);
        let mut best = self.ages.place(0);
        let mut merit = self.pool[best].merit(hot_from);
        let mut ties = 1;
        for number in 1..self.ages.count {
            let place = self.ages.place(number);
            let other = self.pool[place].merit(hot_from);
            let is_taken = match other.compare(&merit) {
                Ordering::Less => {
                    ties = 1;
                    true
                }
                Ordering::Equal => {
                    ties += 1;
                    generator.below(ties) == 0
                }
                Ordering::Greater => false,
            };
            if is_taken {
                (best, merit) = (place, other);
            }
        }
        let chosen = &mut self.pool[best];
        chosen.in_flight += chosen.each;
        chosen.uses = chosen.uses.saturating_sub(1);
        let slot = chosen.slot;
        self.remove_one(hot_from);
        Some(slot)
    }

    /// From how many requests in flight on a probe is hot: what is above the
    /// quantile of the *others*, in whole requests. Of a few servers the quantile
    /// of all would be the busiest one's own figure, and two busy ones would hide
    /// each other while a third has nothing to do.
    fn hot_from(&mut self, quantile: f64) -> f64 {
        let Some(last_other) = self.ages.count.checked_sub(2) else {
            return f64::INFINITY;
        };
        if quantile >= 1.0 {
            return f64::INFINITY;
        }
        // Between two figures it is in proportion.
        let rank = quantile * last_other as f64;
        let (below, part) = (rank as usize, rank.fract());
        let busiest = self.gather_busiest(self.ages.count - below);
        // Without its own figure, the quantile of whoever comes later is the same.
        let low = busiest[0].0;
        let (second, third) = (busiest[1].0, busiest.get(2).map_or(low, |third| third.0));
        let hot = (1..busiest.len()).find(|own| {
            let high = if *own == 1 { third } else { second };
            let limit = low + (high - low) * part;
            let (in_flight, each) = busiest[*own];
            // The division is spared who is below the limit anyway.
            in_flight > limit && in_flight > (limit / each).ceil() * each
        });
        hot.map_or(f64::INFINITY, |own| busiest[own].0)
    }

    /// So many of those with the most in flight, in their order.
    fn gather_busiest(&mut self, most: usize) -> &[(f64, f64)] {
        let busiest = &mut self.busiest[..most];
        for number in 0..self.ages.count {
            let probe = &self.pool[self.ages.place(number)];
            // The place that becomes free: at the end at first, then the least one's.
            let mut free = number;
            if number >= most {
                if probe.in_flight <= busiest[0].0 {
                    continue;
                }
                // Those that have less move down into it.
                free = 0;
                while free + 1 < most && busiest[free + 1].0 < probe.in_flight {
                    busiest[free] = busiest[free + 1];
                    free += 1;
                }
            } else {
                // Those that have more move up into it.
                while free > 0 && busiest[free - 1].0 > probe.in_flight {
                    busiest[free] = busiest[free - 1];
                    free -= 1;
                }
            }
            busiest[free] = (probe.in_flight, probe.each);
        }
        busiest
    }

    /// Take one out for each pick: by turns the oldest, which is the least true,
    /// and the worst, since those that nobody chooses would fill the pool.
    fn remove_one(&mut self, hot_from: f64) {
        let mut number = 0;
        if self.takes_worst {
            let mut merit = self.pool[self.ages.place(0)].merit(hot_from);
            for other in 1..self.ages.count {
                let of_other = self.pool[self.ages.place(other)].merit(hot_from);
                if of_other.compare(&merit).is_ge() {
                    (number, merit) = (other, of_other);
                }
            }
        }
        self.ages.remove(number);
        self.takes_worst = !self.takes_worst;
    }
}

/// What probes are compared by, under the hot and cold lexicographic rule.
#[derive(Clone, Copy)]
struct Merit {
    is_hot: bool,
    first: f64,
    second: f64,
}

impl Merit {
    /// The better one is the less.
    #[inline]
    fn compare(&self, other: &Self) -> Ordering {
        let by_figures = || {
            let first = self.first.total_cmp(&other.first);
            first.then_with(|| self.second.total_cmp(&other.second))
        };
        self.is_hot.cmp(&other.is_hot).then_with(by_figures)
    }
}

impl Probe {
    /// Of hot ones the better is who has less in flight, of cold ones the quicker;
    /// where latencies tell nothing, requests in flight do. What enough picks went
    /// by is hot too: others, who know it as well, will have sent requests there.
    #[inline]
    fn merit(&self, hot_from: f64) -> Merit {
        let is_hot = self.uses == 0 || self.in_flight >= hot_from;
        let (first, second) = match is_hot {
            true => (self.in_flight, 0.0),
            false => (self.latency_us, self.in_flight),
        };
        Merit {
            is_hot,
            first,
            second,
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_plugin_sdk::{Generator, Slot};
    use proptest::prelude::*;

    use super::{MOST, Probe, Probes};

    fn probe(slot: Slot, in_flight: u32, latency_us: u32) -> Probe {
        Probe {
            slot,
            in_flight: f64::from(in_flight),
            latency_us: f64::from(latency_us),
            each: 1.0,
            at_ms: u64::from(slot),
            uses: 9,
        }
    }

    fn of(probes: &[Probe]) -> Probes {
        let mut pool = Probes::default();
        for probe in probes {
            pool.add(*probe);
        }
        pool
    }

    fn chosen(probes: &[Probe]) -> Option<Slot> {
        of(probes).choose(0.84, &mut Generator::seeded(1))
    }

    #[test]
    fn the_busiest_of_a_few_is_hot() {
        for others in 1..8 {
            let mut probes = vec![probe(0, 30, 100)];
            probes.extend((1..=others).map(|slot| probe(slot, 2, 5_000 + slot)));
            assert_eq!(chosen(&probes), Some(1), "{others} others");
        }
    }

    #[test]
    fn of_cold_ones_the_quickest_and_of_hot_ones_the_least_busy_is_chosen() {
        let probes = [probe(0, 2, 900), probe(1, 1, 3_000), probe(2, 2, 700)];
        assert_eq!(chosen(&probes), Some(2));
        let spent = probes.map(|probe| Probe { uses: 0, ..probe });
        assert_eq!(chosen(&spent), Some(1));
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn a_probe_that_enough_picks_went_by_counts_as_hot() {
        let mut best = probe(0, 1, 100);
        best.uses = 0;
        assert_eq!(chosen(&[best, probe(1, 1, 9_000)]), Some(1));
    }

    #[test]
    fn equally_good_ones_are_chosen_alike() {
        let mut generator = Generator::seeded(2);
        let mut counts = [0; 4];
        for _ in 0..4_000 {
            let mut probes = of(&[0, 1, 2, 3].map(|slot| probe(slot, 1, 500)));
            counts[probes.choose(0.84, &mut generator).unwrap() as usize] += 1;
        }
        // Seven standard deviations around the mean of 1,000.
        assert!(
            counts.iter().all(|count| (800..1_200).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn two_busy_ones_do_not_hide_each_other() {
        let probes = [probe(0, 90, 100), probe(1, 90, 200), probe(2, 0, 9_000)];
        assert_eq!(chosen(&probes), Some(2));
    }

    #[test]
    fn a_pick_counts_as_one_more_in_flight() {
        let mut probes = of(&[5, 4, 3, 2, 1].map(|slot| probe(slot, 1, 900)));
        probes.add(probe(0, 1, 100));
        let mut generator = Generator::seeded(1);
        assert_eq!(probes.choose(0.84, &mut generator), Some(0));
        // It has one more than the others now.
        assert_ne!(probes.choose(0.84, &mut generator), Some(0));
    }

    #[test]
    fn the_pool_has_the_latest_of_each_and_never_too_many() {
        let mut probes = of(&[probe(5, 1, 100), probe(5, 7, 100)]);
        assert_eq!(probes.all(), [probe(5, 7, 100)]);
        for slot in 0..40 {
            probes.add(probe(slot, 1, 100));
        }
        assert_eq!((probes.all().len(), probes.all()[0].slot), (MOST, 24));
        probes.forget_before(38);
        assert_eq!(probes.all().len(), 2);
    }

    #[test]
    fn each_pick_takes_the_oldest_or_the_worst_out() {
        let of_four = [(0, 2), (1, 9), (2, 3), (3, 1)];
        let mut probes = of(&of_four.map(|(slot, busy)| probe(slot, busy, 100)));
        let mut generator = Generator::seeded(1);
        let slots =
            |probes: &Probes| -> Vec<_> { probes.all().iter().map(|probe| probe.slot).collect() };
        probes.choose(0.84, &mut generator);
        assert_eq!(slots(&probes), [1, 2, 3]);
        probes.choose(0.84, &mut generator);
        assert_eq!(slots(&probes), [2, 3]);
    }

    /// The least of those that are above the quantile of all others.
    fn hot_by_definition(probes: &[Probe], quantile: f64) -> f64 {
        let is_hot = |own: usize| {
            let others = probes.iter().enumerate().filter(|(other, _)| *other != own);
            let mut others: Vec<_> = others.map(|(_, probe)| probe.in_flight).collect();
            others.sort_by(f64::total_cmp);
            let last = others.len() - 1;
            let rank = quantile * last as f64;
            let (low, high) = (others[rank as usize], others[last.min(rank as usize + 1)]);
            let limit = low + (high - low) * rank.fract();
            probes[own].in_flight > (limit / probes[own].each).ceil() * probes[own].each
        };
        let hot = (0..probes.len()).filter(|own| is_hot(*own));
        let hot = hot.map(|own| probes[own].in_flight);
        hot.fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn who_is_hot_is_whom_the_definition_calls_hot(
            known in prop::collection::vec((0_u32..9, 0_u32..3), 2..=MOST),
            quantile in 0.0..1.0,
        ) {
            // Of weight 1, 2 or 4, which divide without a remainder.
            let probes = (0..).zip(&known).map(|(slot, (active, halvings))| Probe {
                in_flight: f64::from(*active) / f64::from(1 << halvings),
                each: 1.0 / f64::from(1 << halvings),
                ..probe(slot, 0, 100)
            });
            let probes: Vec<_> = probes.collect();
            let hot_from = of(&probes).hot_from(quantile);
            prop_assert_eq!(hot_from, hot_by_definition(&probes, quantile));
        }
    }
}
