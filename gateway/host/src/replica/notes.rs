//! What changed in a part of a table since the last exchange.

use std::sync::Arc;

use indexmap::IndexMap;

use super::Changes;

/// What a note is of. An exchange has room for each kind, so that however much there is
/// of one, the others do not wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Session,
    Sum,
    Value,
    Limit,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Session, Self::Sum, Self::Value, Self::Limit];
}

/// A note, which is of a kind.
pub(crate) trait Noted: Copy {
    /// Which one.
    fn kind(self) -> Kind;
}

/// Notes by key: one for each at most, those of a kind in the order in which they came.
#[derive(Debug)]
pub(crate) struct Notes<N>([IndexMap<Arc<str>, N>; Kind::ALL.len()]);

impl<N> Default for Notes<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| IndexMap::new()))
    }
}

impl<N: Noted> Notes<N> {
    /// What is noted of a key.
    pub(crate) fn get(&self, key: &str) -> Option<N> {
        self.0.iter().find_map(|notes| notes.get(key)).copied()
    }

    /// Note something of a key, in place of what was. There are `most` of a kind at
    /// most: beyond that, what was removed or made room meanwhile is told no more.
    /// `known` has the keys of what is there.
    pub(crate) fn put(
        &mut self,
        key: &str,
        note: N,
        most: usize,
        known: impl Fn(&str) -> Option<Arc<str>>,
    ) {
        let kind = note.kind() as usize;
        if let Some(noted) = self.0[kind].get_mut(key) {
            *noted = note;
            return;
        }
        self.remove(key);
        let notes = &mut self.0[kind];
        if notes.len() >= most {
            notes.retain(|key, _| known(key).is_some());
        }
        if notes.len() < most {
            notes.insert(known(key).unwrap_or_else(|| key.into()), note);
        }
    }

    /// Tell nothing of a key.
    pub(crate) fn remove(&mut self, key: &str) {
        for notes in &mut self.0 {
            notes.swap_remove(key);
        }
    }

    /// Take out what has room among these changes, of one kind. What has waited longest
    /// goes first.
    pub(crate) fn take(
        &mut self,
        kind: Kind,
        changes: &mut Changes,
        mut tell: impl FnMut(&mut Changes, &str, N),
    ) {
        let notes = &mut self.0[kind as usize];
        let mut taken = 0;
        while !changes.is_full()
            && let Some((key, note)) = notes.get_index(taken)
        {
            tell(changes, key, *note);
            taken += 1;
        }
        notes.drain(..taken);
        changes.has_more |= !notes.is_empty();
    }
}
