//! Figures of a plugin's own, by name.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Names that a binding may have, so that a name made of a request's content
/// cannot fill the memory.
const NAMES: usize = 64;

/// Bytes of a name.
const NAME_BYTES: usize = 128;

/// A figure of a plugin's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// A sum of what was counted.
    Counter(u64),
    /// The value that was set last.
    Gauge(f64),
}

/// The figures of one seat of the chain, over all workers and versions.
#[derive(Debug, Default)]
pub struct Figures {
    by_name: Mutex<BTreeMap<Box<str>, Figure>>,
}

impl Figures {
    /// Add to a counter; returns false when there are too many names, or the
    /// name is a gauge's.
    pub(crate) fn count(&self, name: &str, by: u64) -> bool {
        self.change(name, Figure::Counter(0), |figure| match figure {
            Figure::Counter(sum) => {
                *sum = sum.wrapping_add(by);
                true
            }
            Figure::Gauge(_) => false,
        })
    }

    /// Set a gauge; returns false when there are too many names, or the name
    /// is a counter's.
    pub(crate) fn gauge(&self, name: &str, value: f64) -> bool {
        self.change(name, Figure::Gauge(0.0), |figure| match figure {
            Figure::Gauge(last) => {
                *last = value;
                true
            }
            Figure::Counter(_) => false,
        })
    }

    fn change(&self, name: &str, new: Figure, change: impl FnOnce(&mut Figure) -> bool) -> bool {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(figure) = by_name.get_mut(name) {
            return change(figure);
        }
        if by_name.len() == NAMES || name.len() > NAME_BYTES {
            return false;
        }
        change(by_name.entry(name.into()).or_insert(new))
    }

    /// All figures in the order of their names.
    pub fn all(&self) -> Vec<(Box<str>, Figure)> {
        let by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name
            .iter()
            .map(|(name, figure)| (name.clone(), *figure))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_and_gauges_replace() {
        let figures = Figures::default();
        assert!(figures.count("hits", 2) && figures.count("hits", 3));
        assert!(figures.gauge("depth", 2.0) && figures.gauge("depth", 1.0));
        assert!(!figures.gauge("hits", 1.0));
        let all = figures.all();
        assert_eq!(all[0], ("depth".into(), Figure::Gauge(1.0)));
        assert_eq!(all[1], ("hits".into(), Figure::Counter(5)));
    }

    #[test]
    fn names_are_limited() {
        let figures = Figures::default();
        for name in 0..NAMES {
            assert!(figures.count(&name.to_string(), 1));
        }
        assert!(!figures.count("one more", 1));
        assert!(figures.count("0", 1));
    }
}
