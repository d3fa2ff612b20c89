//! From how many requests in flight on an endpoint is hot: a quantile of the
//! figures that were seen lately.

/// The figures seen lately, and what is above most of them.
#[derive(Clone, Debug)]
pub(crate) struct Heat {
    quantile: f64,
    seen: [f64; SEEN],
    count: usize,
    hot_above: f64,
}

/// How many figures are remembered.
const SEEN: usize = 128;

/// After how many new ones the quantile is found again.
const EVERY: usize = 32;

impl Heat {
    /// Nothing is hot before the first figures are in.
    pub(crate) const fn above(quantile: f64) -> Self {
        Self {
            quantile,
            seen: [0.0; SEEN],
            count: 0,
            hot_above: f64::INFINITY,
        }
    }

    /// Remember a figure. Returns what is hot: all that is above.
    #[inline]
    pub(crate) fn note(&mut self, in_flight: f64) -> f64 {
        self.seen[self.count % SEEN] = in_flight;
        self.count += 1;
        if self.count == 2 * SEEN {
            // It has to be known that all places are taken, and no more.
            self.count = SEEN;
        }
        if self.count.is_multiple_of(EVERY) {
            self.find();
        }
        self.hot_above
    }

    fn find(&mut self) {
        let mut sorted = self.seen;
        let known = &mut sorted[..self.count.min(SEEN)];
        let rank = (self.quantile * (known.len() - 1) as f64) as usize;
        // At a quantile of 1 nothing is hot, not even what is above all that was seen.
        self.hot_above = if self.quantile >= 1.0 {
            f64::INFINITY
        } else {
            *known.select_nth_unstable_by(rank, f64::total_cmp).1
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{Heat, SEEN};

    #[test]
    fn what_is_above_most_of_what_was_seen_is_hot() {
        let mut heat = Heat::above(0.75);
        let last = (0..=400)
            .map(|figure| heat.note(f64::from(figure % 100)))
            .last();
        let hot_above = last.unwrap();
        assert!((65.0..85.0).contains(&hot_above), "{hot_above}");
    }

    #[test]
    fn the_past_is_forgotten() {
        let mut heat = Heat::above(0.84);
        for _ in 0..SEEN {
            heat.note(50.0);
        }
        let last = (0..SEEN).map(|_| heat.note(3.0)).last();
        assert_eq!(last, Some(3.0));
    }

    #[test]
    fn at_first_and_at_a_quantile_of_one_nothing_is_hot() {
        assert_eq!(Heat::above(0.0).note(9.0), f64::INFINITY);
        let mut heat = Heat::above(1.0);
        let last = (0..SEEN).map(|_| heat.note(3.0)).last();
        assert_eq!(last, Some(f64::INFINITY));
    }
}
