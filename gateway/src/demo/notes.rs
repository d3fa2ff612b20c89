//! What has happened lately, in lines: the demo's own news and, while the table
//! has the terminal, the log.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// More lines than any terminal shows; older ones are forgotten.
const MOST: usize = 200;

/// The lines. Clones are the same lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Mutex<VecDeque<String>>>);

impl Notes {
    /// Add a line.
    pub(super) fn add(&self, line: impl Into<String>) {
        let mut lines = self.lines();
        if lines.len() == MOST {
            lines.pop_front();
        }
        lines.push_back(line.into());
    }

    /// All lines, the oldest first.
    pub(super) fn all(&self) -> Vec<String> {
        self.lines().iter().cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        // The lines are whole after every call, so that a panic spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log writes an event at a time: each becomes one line, whatever it holds.
impl io::Write for Notes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let event = String::from_utf8_lossy(bytes);
        let words: Vec<_> = event.split_whitespace().collect();
        self.add(words.join(" "));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Notes {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn what_is_logged_is_one_line_an_event() {
        let notes = Notes::default();
        let mut writer = notes.make_writer();
        writer
            .write_all(b" WARN one\n  of two\n")
            .expect("it cannot fail");
        notes.add("two");
        assert_eq!(notes.all(), ["WARN one of two", "two"]);
    }

    #[test]
    fn the_oldest_lines_are_forgotten() {
        let notes = Notes::default();
        (0..MOST + 3).for_each(|number| notes.add(number.to_string()));
        let all = notes.all();
        assert_eq!((all.len(), all[0].as_str()), (MOST, "3"));
    }
}
