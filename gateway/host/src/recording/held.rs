//! One worker's lines in memory.
//!
//! A download copies references to them, while the worker may wait to add one: so
//! the lines are in chunks that are shared, and only the last is copied line by
//! line.

use std::sync::Arc;

/// Lines of a chunk.
const CHUNK: usize = 256;

/// A line and its time.
pub(super) type Timed = (u64, Arc<str>);

/// One worker's lines, in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    full: Vec<Arc<Vec<Timed>>>,
    last: Vec<Timed>,
}

impl Held {
    pub(super) fn push(&mut self, line: Timed) {
        self.last.push(line);
        if self.last.len() == CHUNK {
            self.full.push(Arc::new(std::mem::take(&mut self.last)));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Timed> {
        let full = self.full.iter().flat_map(|chunk| chunk.iter());
        full.chain(&self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_every_line_in_order_and_none_of_later() {
        let mut held = Held::default();
        let lines = 2 * CHUNK as u64 + 7;
        for at_ns in 0..lines {
            held.push((at_ns, at_ns.to_string().into()));
        }
        let copy = held.clone();
        held.push((lines, "later".into()));
        let times: Vec<u64> = copy.iter().map(|(at_ns, _)| *at_ns).collect();
        assert_eq!(times, (0..lines).collect::<Vec<_>>());
        assert!(
            copy.iter()
                .all(|(at_ns, line)| **line == *at_ns.to_string())
        );
        assert_eq!(held.iter().count(), copy.iter().count() + 1);
    }
}
