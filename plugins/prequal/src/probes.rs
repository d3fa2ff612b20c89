//! The probe pool: what was learned of some endpoints lately, and whom of them to
//! choose.

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

/// The latest probes, one of an endpoint at most. What picks do with them is in a
/// few functions that stay apart, for in one all of their loops would share too few
/// registers; and it branches seldom, for what is in flight nobody foresees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    /// What lies where `ages` has no place is of no meaning.
    pool: [Probe; MOST],
    ages: Ages,
    /// By slot, the place of the endpoint's probe, if it has one.
    places: Vec<u8>,
    /// Nothing in it is from before that, in milliseconds of the host's clock.
    since_ms: u64,
    /// Which one the next removal takes: the worst and the oldest by turns.
    takes_worst: bool,
    /// Requests in flight, as the bits of a number that is not negative, which are
    /// in the numbers' order; and what one more adds. Kept for its memory.
    busiest: [(u64, f64); MOST],
}

impl Probes {
    /// Forget all of them.
    pub(crate) fn clear(&mut self) {
        self.ages = Ages::default();
    }

    /// Forget those that are from before a time.
    #[inline]
    pub(crate) fn forget_before(&mut self, at_ms: u64) {
        if self.since_ms < at_ms {
            self.look_for_older(at_ms);
        }
    }

    #[inline(never)]
    fn look_for_older(&mut self, at_ms: u64) {
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
    #[inline(never)]
    pub(crate) fn add(&mut self, probe: Probe) {
        let slot = probe.slot as usize;
        if slot >= self.places.len() {
            self.places.resize(slot + 1, 0);
        }
        let known = usize::from(self.places[slot]) % MOST;
        let is_known = self.ages.is_taken(known) && self.pool[known].slot == probe.slot;
        let place = match is_known {
            true => self.ages.remove(self.ages.number(known)),
            false if self.ages.count == MOST => self.ages.remove(0),
            false => self.ages.free(),
        };
        if self.ages.count == 0 {
            self.since_ms = u64::MAX;
        }
        self.since_ms = self.since_ms.min(probe.at_ms);
        self.pool[place] = probe;
        self.places[slot] = place as u8;
        self.ages.push(place);
    }

    /// What is in it, the oldest first.
    #[cfg(test)]
    pub(crate) fn all(&self) -> Vec<Probe> {
        self.ages.places().map(|place| self.pool[place]).collect()
    }

    /// Who takes a request, by the hot and cold rule with that quantile:
    /// chance decides among equally good ones. The request is added to what is
    /// known of it, and the pool loses one of the others.
    pub(crate) fn choose(&mut self, quantile: f64, generator: &mut Generator) -> Option<Slot> {
        if self.ages.count == 0 {
            return None;
        }
        let hot_from = self.hot_from(quantile);
        let (best, worst) = self.best_and_worst(hot_from, generator);
        let chosen = &mut self.pool[self.ages.place(best.number)];
        chosen.in_flight += chosen.each;
        chosen.uses = chosen.uses.saturating_sub(1);
        let (slot, merit) = (chosen.slot, chosen.merit(hot_from));
        // By turns the oldest goes, which is the least true, and the worst, since
        // those that nobody chooses would fill the pool. The chosen one may have
        // become that.
        let number = match self.takes_worst {
            true => Ranked { merit, ..best }.max(worst).number,
            false => 0,
        };
        self.ages.remove(number);
        self.takes_worst = !self.takes_worst;
        Some(slot)
    }

    /// From how many requests in flight on a probe is hot: what is above the
    /// quantile of the *others*, in whole requests. Of a few servers the quantile
    /// of all would be the busiest one's own figure, and two busy ones would hide
    /// each other while a third has nothing to do.
    #[inline(never)]
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
        let busiest = self.sort_busiest(below);
        let figure = |place: usize| f64::from_bits(busiest[place].0);
        // Without its own figure, the quantile of whoever comes later is the same.
        let (low, second) = (figure(0), figure(1));
        let third = if busiest.len() > 2 { figure(2) } else { low };
        let hot = (1..busiest.len()).find(|own| {
            let high = if *own == 1 { third } else { second };
            let limit = low + (high - low) * part;
            let (in_flight, each) = (figure(*own), busiest[*own].1);
            // The division is spared who is below the limit anyway.
            in_flight > limit && in_flight > (limit / each).ceil() * each
        });
        hot.map_or(f64::INFINITY, figure)
    }

    /// Those with the most in flight in their order, without so many of the others.
    #[inline(never)]
    fn sort_busiest(&mut self, others: usize) -> &[(u64, f64)] {
        let busiest = &mut self.busiest[..self.ages.count];
        for (one, place) in busiest.iter_mut().zip(self.ages.places()) {
            let probe = &self.pool[place];
            *one = (probe.in_flight.to_bits(), probe.each);
        }
        for last in (others..busiest.len()).rev() {
            let (mut most, mut most_at) = (0, 0);
            for (at, (in_flight, _)) in busiest[..=last].iter().enumerate() {
                let is_more = *in_flight > most;
                most_at = if is_more { at } else { most_at };
                most = if is_more { *in_flight } else { most };
            }
            busiest.swap(most_at, last);
        }
        &busiest[others..]
    }

    /// The best one, and the last of those that are worst.
    #[inline(never)]
    fn best_and_worst(&self, hot_from: f64, generator: &mut Generator) -> (Ranked, Ranked) {
        let mut draws = generator.clone();
        let (mut best, mut worst) = (Ranked::BEYOND, Ranked::NOTHING);
        let mut ties = 1;
        for (number, place) in self.ages.places().enumerate() {
            let merit = self.pool[place].merit(hot_from);
            let is_better = merit < best.merit;
            let is_equal = merit == best.merit;
            ties = if is_better {
                1
            } else {
                ties + u32::from(is_equal)
            };
            let is_best = is_better | (is_equal && draws.below(ties) == 0);
            let one = Ranked { merit, number };
            best = if is_best { one } else { best };
            worst = if merit >= worst.merit { one } else { worst };
        }
        *generator = draws;
        (best, worst)
    }
}

/// A probe by what it is compared by, the better one being the less, and by its age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    merit: u128,
    number: usize,
}

impl Ranked {
    /// Worse than any, for there is no such figure.
    const BEYOND: Self = Self {
        merit: u128::MAX,
        number: 0,
    };

    /// No worse than any.
    const NOTHING: Self = Self {
        merit: 0,
        number: 0,
    };
}

/// What makes the merit of a hot probe more than that of any cold one: the sign of
/// a figure, which is never negative.
const HOT: u64 = 1 << 63;

impl Probe {
    /// What it is compared by under the hot and cold lexicographic rule: the bits of
    /// two figures, which are in the figures' order. Of hot ones the better is who
    /// has less in flight, of cold ones the quicker; where latencies tell nothing,
    /// requests in flight do. What enough picks went by is hot too: others, who know
    /// it as well, will have sent requests there.
    #[inline]
    fn merit(&self, hot_from: f64) -> u128 {
        let is_hot = (self.uses == 0) | (self.in_flight >= hot_from);
        let in_flight = self.in_flight.to_bits();
        let first = if is_hot {
            in_flight | HOT
        } else {
            self.latency_us.to_bits()
        };
        let second = if is_hot { 0 } else { in_flight };
        (u128::from(first) << 64) | u128::from(second)
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

        #[test]
        fn one_of_the_best_is_chosen_and_the_last_of_the_worst_goes(
            known in prop::collection::vec((0_u32..9, 1_u32..5, 0_u32..3), 2..=MOST),
        ) {
            let probes = (0..).zip(&known).map(|(slot, (active, latency, uses))| Probe {
                uses: *uses,
                ..probe(slot, *active, *latency)
            });
            let mut probes: Vec<_> = probes.collect();
            let mut pool = of(&probes);
            pool.takes_worst = true;
            let hot_from = pool.hot_from(0.84);
            let merit = |probe: &Probe| match probe.uses == 0 || probe.in_flight >= hot_from {
                true => (true, probe.in_flight, 0.0),
                false => (false, probe.latency_us, probe.in_flight),
            };
            let chosen = pool.choose(0.84, &mut Generator::seeded(3)).unwrap() as usize;
            prop_assert!(probes.iter().all(|other| merit(&probes[chosen]) <= merit(other)));
            probes[chosen].in_flight += 1.0;
            probes[chosen].uses = probes[chosen].uses.saturating_sub(1);
            let is_worst = |own: &usize| {
                let mut others = probes.iter();
                others.all(|other| merit(other) <= merit(&probes[*own]))
            };
            let worst = (0..probes.len()).rev().find(is_worst).unwrap();
            probes.remove(worst);
            prop_assert_eq!(pool.all(), probes);
        }
    }
}
