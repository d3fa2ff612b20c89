//! What was changed at run time, kept apart from what the files declare.
//!
//! An overlay is a set of overrides. Each names a key (a server by its id, a
//! pool by its name), the value that it has instead or that it is removed, and
//! the value that the files had there when the override was made. It is applied
//! to the merged document before that is read, so that defaults, checks and
//! meaning are those of the file's own keys.
//!
//! Files stay the master of what they say. When one is edited at the very key
//! of an override, the override yields ([`Overlay::settle`]). A pool, a server
//! or a plugin that both add is one, the file's fields winning. An override that no
//! longer fits, such as the weight of a server that the file no longer has, is
//! left out with its reason ([`fit`]): no overlay can prevent a start or a
//! reload.
//!
//! An override within an object that an override added is made part of that
//! object, so there are no two overrides one of which is within the other, but
//! for removals.

mod fit;
mod key;
mod settle;
mod walk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::declared::Declared;
use super::tree::Node;

pub use fit::{Fitted, LeftOut};
pub use key::Key;

/// Everything that was changed at run time, by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay(BTreeMap<Key, Override>);

/// What a key has instead of what the files say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// The value as a file would say it; none when the key is removed.
    pub value: Option<Value>,
    /// What the files said when the override was made; none for nothing.
    pub base: Option<Value>,
    /// Of what was added: its place among all that was, from 1, since policies
    /// are asked in their order.
    #[serde(default)]
    added: u64,
}

impl Overlay {
    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every override, those of an object before those within it.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Override)> {
        self.0.iter()
    }

    /// The override of a key.
    pub fn get(&self, key: &Key) -> Option<&Override> {
        self.0.get(key)
    }

    /// Whether an object is there because an override added it, alone or as a
    /// part of another.
    pub fn adds(&self, key: &Key) -> bool {
        key.ancestors().any(|outer| {
            let held = self.0.get(&outer);
            held.is_some_and(|held| held.value.is_some() && held.base.is_none())
        })
    }

    /// Give a key a value, over what is declared. Nothing is left to override
    /// when that is what the files say.
    pub fn set(&mut self, declared: &Declared, key: &Key, value: Value) {
        if self.edit_within(key, Some(&value)) {
            return;
        }
        let before = self.0.get(key).map_or(0, |held| held.added);
        self.forget(key);
        let base = declared.value(key);
        if base.as_ref() != Some(&value) {
            let added = match &base {
                None if before == 0 => self.last_added() + 1,
                None => before,
                Some(_) => 0,
            };
            let value = Some(value);
            self.0.insert(key.clone(), Override { value, base, added });
        }
    }

    fn last_added(&self) -> u64 {
        let added = self.0.values().map(|held| held.added);
        added.max().unwrap_or(0)
    }

    /// Remove a key and all within it, whoever declared it.
    pub fn remove(&mut self, declared: &Declared, key: &Key) {
        if self.edit_within(key, None) {
            return;
        }
        self.forget(key);
        let base = declared.value(key);
        if base.is_some() {
            let held = Override {
                value: None,
                base,
                added: 0,
            };
            self.0.insert(key.clone(), held);
        }
    }

    /// Have a key as the files say again.
    pub fn reset(&mut self, key: &Key) {
        self.forget(key);
    }

    /// This overlay without the overrides of some keys.
    #[must_use]
    pub fn without<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Self {
        let mut rest = self.clone();
        for key in keys {
            rest.0.remove(key);
        }
        rest
    }

    /// Change an object that an override holds, if the key is within one.
    fn edit_within(&mut self, key: &Key, value: Option<&Value>) -> bool {
        for (outer, held) in &mut self.0 {
            let Some(inner) = key.within(outer) else {
                continue;
            };
            let Some(object) = held.value.as_mut().filter(|_| !inner.is_empty()) else {
                continue;
            };
            let mut node = Node::nowhere(object);
            // What cannot be changed there stays as it was, and the change is
            // found to change nothing.
            let _ = walk::change(&mut node, inner, outer.depth(), value);
            *object = node.to_json();
            return true;
        }
        false
    }

    /// Drop the overrides of a key and of all within it.
    fn forget(&mut self, key: &Key) {
        self.0.retain(|held, _| held.within(key).is_none());
    }

    /// Change a document as the overrides say.
    pub(super) fn apply(&self, root: &mut Node) -> Result<(), LeftOut> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, held)| held.added);
        for (key, held) in all {
            let value = held.value.as_ref();
            walk::change(root, key.steps(), 0, value).map_err(|reason| LeftOut {
                key: key.clone(),
                reason: reason.to_owned(),
            })?;
        }
        Ok(())
    }
}

impl FromIterator<(Key, Override)> for Overlay {
    fn from_iter<I: IntoIterator<Item = (Key, Override)>>(overrides: I) -> Self {
        Self(overrides.into_iter().collect())
    }
}
