//! A plugin's log: a bounded ring of what it wrote, and what the host noted
//! about it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Entries that are kept; the oldest go first.
const ENTRIES: usize = 1000;

/// Entries that are taken in a second, so that a plugin that logs every
/// request cannot drown the gateway's own log.
const ENTRIES_PER_SECOND: u32 = 100;

/// Bytes of an entry's text; the rest is cut.
const MESSAGE_BYTES: usize = 4096;

/// How much an entry matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Something worth knowing.
    Info,
    /// For the plugin's author.
    Debug,
}

/// One entry of a plugin's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When it was written, in milliseconds since 1970.
    pub unix_ms: u64,
    /// How much it matters.
    pub level: Level,
    /// What was written.
    pub message: String,
}

/// The log of one seat of the chain, over all workers and versions.
#[derive(Debug, Default)]
pub struct Journal {
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<LogEntry>,
    second: u64,
    in_second: u32,
    dropped: u64,
}

impl Journal {
    /// Take an entry, cut to size; returns it as taken, or nothing when there
    /// were too many in this second.
    pub(crate) fn write(&self, level: Level, message: String) -> Option<String> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_ms = since_1970.map_or(0, |elapsed| elapsed.as_millis() as u64);
        self.write_at(unix_ms, level, message)
    }

    fn write_at(&self, unix_ms: u64, level: Level, mut message: String) -> Option<String> {
        cut(&mut message, MESSAGE_BYTES);
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.second != unix_ms / 1000 {
            ring.second = unix_ms / 1000;
            ring.in_second = 0;
        }
        if ring.in_second == ENTRIES_PER_SECOND {
            ring.dropped += 1;
            return None;
        }
        ring.in_second += 1;
        if ring.entries.len() == ENTRIES {
            ring.entries.pop_front();
        }
        ring.entries.push_back(LogEntry {
            unix_ms,
            level,
            message: message.clone(),
        });
        Some(message)
    }

    /// What is kept, oldest first.
    pub fn entries(&self) -> Vec<LogEntry> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.entries.iter().cloned().collect()
    }

    /// Entries that were dropped because there were too many in a second.
    pub fn dropped(&self) -> u64 {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.dropped
    }
}

/// Shorten a text to at most so many bytes, between two characters.
pub(crate) fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_takes_so_many_entries_and_counts_the_rest() {
        let journal = Journal::default();
        for _ in 0..ENTRIES_PER_SECOND + 7 {
            journal.write_at(5_000, Level::Info, "again".to_owned());
        }
        assert_eq!(journal.entries().len(), ENTRIES_PER_SECOND as usize);
        assert_eq!(journal.dropped(), 7);
        assert!(
            journal
                .write_at(6_000, Level::Info, "later".to_owned())
                .is_some()
        );
    }

    #[test]
    fn the_oldest_entry_goes_first() {
        let journal = Journal::default();
        for entry in 0..=ENTRIES as u64 {
            journal.write_at(entry * 1000, Level::Info, entry.to_string());
        }
        let entries = journal.entries();
        assert_eq!(entries.len(), ENTRIES);
        assert_eq!(entries[0].message, "1");
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        let mut text = "aé".repeat(3000);
        cut(&mut text, MESSAGE_BYTES);
        assert!(text.len() <= MESSAGE_BYTES && text.len() >= MESSAGE_BYTES - 1);
        assert!(text.ends_with('a') || text.ends_with('é'));
    }
}
