//! What an instance may have of the machine: memory, tables, core instances,
//! and what it may hand to the host at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::ResourceLimiter;

/// Bytes of texts and lists that a plugin may hand to the host in one call of an
/// import, or with one answer. No deadline ends a call while the host copies, so
/// the copy itself must be short; the most that the contract has a use for is a
/// handover's state of 1 MiB.
pub(crate) const CROSSING_BYTES: usize = 1 << 20;

/// Core instances in a component. Language runtimes that link their libraries
/// dynamically have a few dozen.
const CORE_INSTANCES: usize = 256;

/// Table entries of an instance together: a large language runtime has some
/// ten thousand functions in its tables.
const TABLE_ENTRIES: usize = 100_000;

/// Memories and tables of an instance, each.
const MEMORIES_AND_TABLES: usize = 256;

/// Bytes in the linear memories of all instances of a binding together. It is
/// written when a memory grows and when an instance goes, seldom enough to be
/// shared between threads.
#[derive(Debug, Default)]
pub(crate) struct MemoryInUse(AtomicU64);

impl MemoryInUse {
    /// As it is now.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The limits of one instance and what it has used of them.
#[derive(Debug)]
pub(crate) struct Limits {
    memory: usize,
    memory_used: usize,
    /// What is used by all instances beside this one, and by it.
    in_use: Arc<MemoryInUse>,
    table_entries: usize,
    refused: bool,
}

impl Limits {
    /// At most so many bytes in all linear memories together, counted into
    /// `in_use` for as long as the instance lives.
    pub(crate) fn new(memory: u64, in_use: Arc<MemoryInUse>) -> Self {
        Self {
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
            memory_used: 0,
            in_use,
            table_entries: 0,
            refused: false,
        }
    }

    /// Whether memory or table entries were refused: a trap that follows is
    /// most likely for want of it.
    pub(crate) fn has_refused(&self) -> bool {
        self.refused
    }

    /// Bytes in all linear memories together.
    pub(crate) fn memory_used(&self) -> usize {
        self.memory_used
    }
}

/// Account for a growth within a limit; returns whether it is allowed.
fn grow(used: &mut usize, current: usize, desired: usize, limit: usize) -> bool {
    let grown = used.saturating_add(desired.saturating_sub(current));
    let allowed = grown <= limit;
    if allowed {
        *used = grown;
    }
    allowed
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let before = self.memory_used;
        let allowed = grow(&mut self.memory_used, current, desired, self.memory);
        self.refused |= !allowed;
        let grown = (self.memory_used - before) as u64;
        self.in_use.0.fetch_add(grown, Ordering::Relaxed);
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = grow(&mut self.table_entries, current, desired, TABLE_ENTRIES);
        self.refused |= !allowed;
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        MEMORIES_AND_TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES_AND_TABLES
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        let used = self.memory_used as u64;
        self.in_use.0.fetch_sub(used, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_use_while_the_instance_lives() {
        let in_use = Arc::new(MemoryInUse::default());
        let mut one = Limits::new(100, Arc::clone(&in_use));
        let mut other = Limits::new(100, Arc::clone(&in_use));
        assert!(one.memory_growing(0, 60, None).unwrap());
        assert!(other.memory_growing(0, 30, None).unwrap());
        assert!(!one.memory_growing(60, 101, None).unwrap());
        assert_eq!(in_use.bytes(), 90);
        drop(one);
        assert_eq!(in_use.bytes(), 30);
    }

    #[test]
    fn memories_count_together_against_the_limit() {
        let mut limits = Limits::new(100, Arc::default());
        assert!(limits.memory_growing(0, 60, None).unwrap());
        assert!(!limits.has_refused());
        assert!(!limits.memory_growing(0, 60, None).unwrap());
        assert!(limits.has_refused());
        assert!(limits.memory_growing(60, 100, None).unwrap());
        assert_eq!(limits.memory_used(), 100);
    }
}
