//! The probe pool: what was learned of some endpoints lately, and whom of them to
//! choose.

use std::cmp::Ordering;

use gatewright_plugin_sdk::{Generator, Slot};

/// What is known of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// The oldest first.
    pool: Vec<Probe>,
    /// Which one the next removal takes: the worst and the oldest by turns.
    takes_worst: bool,
    /// To find the quantile in; kept for its memory.
    sorted: Vec<(f64, f64)>,
}

/// Probes in the pool, as in the paper.
const MOST: usize = 16;

impl Probes {
    /// Forget all of them.
    pub(crate) fn clear(&mut self) {
        self.pool.clear();
    }

    /// Forget those that are from before a time.
    pub(crate) fn forget_before(&mut self, at_ms: u64) {
        self.pool.retain(|probe| probe.at_ms >= at_ms);
    }

    /// Put one in, in place of what was known of its endpoint or of the oldest.
    pub(crate) fn add(&mut self, probe: Probe) {
        let known = self.pool.iter().position(|known| known.slot == probe.slot);
        if let Some(place) = known {
            self.pool.remove(place);
        } else if self.pool.len() == MOST {
            self.pool.remove(0);
        }
        self.pool.push(probe);
    }

    /// What is in it.
    #[cfg(test)]
    pub(crate) fn all(&self) -> &[Probe] {
        &self.pool
    }

    /// Who takes a request, by the hot and cold rule with that quantile:
    /// chance decides among equally good ones. The request is added to what is
    /// known of it, and the pool loses one of the others.
    pub(crate) fn choose(&mut self, quantile: f64, generator: &mut Generator) -> Option<Slot> {
        let hot_from = self.hot_from(quantile);
        let mut best: Option<usize> = None;
        let mut ties = 1;
        for place in 0..self.pool.len() {
            let is_taken = best.is_none_or(|best| {
                let [probe, known] = [&self.pool[place], &self.pool[best]];
                match probe.compare(known, hot_from) {
                    Ordering::Less => {
                        ties = 1;
                        true
                    }
                    Ordering::Equal => {
                        ties += 1;
                        generator.below(ties) == 0
                    }
                    Ordering::Greater => false,
                }
            });
            if is_taken {
                best = Some(place);
            }
        }
        let best = best?;
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
        let Some(last_other) = self.pool.len().checked_sub(2) else {
            return f64::INFINITY;
        };
        if quantile >= 1.0 {
            return f64::INFINITY;
        }
        let known = self.pool.iter();
        self.sorted.clear();
        self.sorted
            .extend(known.map(|probe| (probe.in_flight, probe.each)));
        let sorted = &mut self.sorted;
        sorted.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        // Between two figures it is in proportion.
        let rank = quantile * last_other as f64;
        let (below, part) = (rank as usize, rank.fract());
        let hot = (0..sorted.len()).find(|own| {
            let other = |rank: usize| sorted[rank + usize::from(rank >= *own)].0;
            let [low, high] = [other(below), other((below + 1).min(last_other))];
            let (in_flight, each) = sorted[*own];
            in_flight > ((low + (high - low) * part) / each).ceil() * each
        });
        hot.map_or(f64::INFINITY, |place| sorted[place].0)
    }

    /// Take one out for each pick: by turns the oldest, which is the least true,
    /// and the worst, since those that nobody chooses would fill the pool.
    fn remove_one(&mut self, hot_from: f64) {
        let place = if self.takes_worst {
            let probes = self.pool.iter().enumerate();
            let worst = probes.max_by(|(_, one), (_, other)| one.compare(other, hot_from));
            worst.map_or(0, |(place, _)| place)
        } else {
            0
        };
        self.pool.remove(place);
        self.takes_worst = !self.takes_worst;
    }
}

impl Probe {
    /// The hot and cold lexicographic rule: the better one is the less. Of hot
    /// ones that is who has less in flight, of cold ones the quicker; where
    /// latencies tell nothing, requests in flight do. What enough picks went by is
    /// hot too: others, who know it as well, will have sent requests there.
    fn compare(&self, other: &Self, hot_from: f64) -> Ordering {
        let is_hot = |probe: &Self| probe.uses == 0 || probe.in_flight >= hot_from;
        let [one, two] = [self, other].map(is_hot);
        let by_load = self.in_flight.total_cmp(&other.in_flight);
        let by_latency = self.latency_us.total_cmp(&other.latency_us);
        one.cmp(&two).then(match one {
            true => by_load,
            false => by_latency.then(by_load),
        })
    }
}

#[cfg(test)]
mod tests {
    use gatewright_plugin_sdk::{Generator, Slot};

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
}
