//! What changed in a part of a table since the last exchange.

use std::sync::Arc;

use indexmap::IndexMap;

use super::Changes;

/// Notes by key.
#[derive(Debug)]
pub(crate) struct Notes<N>(IndexMap<Arc<str>, N>);

impl<N> Default for Notes<N> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<N> Notes<N> {
    /// What is noted of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&N> {
        self.0.get(key)
    }

    /// What is noted of a key, to be changed.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut N> {
        self.0.get_mut(key)
    }

    /// Note something of a key, in place of what was. There are `most` at most:
    /// beyond that, what was removed or made room meanwhile is told no more.
    pub(crate) fn put(
        &mut self,
        key: Arc<str>,
        note: N,
        most: usize,
        is_there: impl Fn(&str) -> bool,
    ) {
        if self.0.len() >= most {
            self.0.retain(|key, _| is_there(key));
        }
        if self.0.len() < most {
            self.0.insert(key, note);
        }
    }

    /// Tell nothing of a key.
    pub(crate) fn remove(&mut self, key: &str) {
        self.0.swap_remove(key);
    }

    /// Take out what has room among these changes.
    pub(crate) fn take(
        &mut self,
        changes: &mut Changes,
        mut tell: impl FnMut(&mut Changes, &str, N),
    ) {
        while !changes.is_full()
            && let Some((key, note)) = self.0.swap_remove_index(0)
        {
            tell(changes, &key, note);
        }
        changes.has_more |= !self.0.is_empty();
    }
}
