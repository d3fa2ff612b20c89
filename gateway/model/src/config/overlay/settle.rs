//! Giving way to files that were edited since.

use serde_json::{Map, Value};

use super::{Key, Overlay, Override};
use crate::config::declared::Declared;
use crate::config::element;
use crate::config::tree::Node;

impl Overlay {
    /// Drop every override whose key the files say otherwise than when it was
    /// made; returns their keys. What the files now add too becomes overrides
    /// of those of its fields that they do not say.
    pub fn settle(&mut self, declared: &Declared) -> Vec<Key> {
        let mut settling = Settling {
            declared,
            kept: Self::default(),
            yielded: Vec::new(),
        };
        for (key, held) in std::mem::take(&mut self.0) {
            settling.settle(key, held);
        }
        *self = settling.kept;
        settling.yielded
    }
}

impl Overlay {
    /// [`Self::settle`] for the keys alone that the files said otherwise `before`:
    /// the rest may have been made over other files than these.
    pub fn settle_edited(&mut self, before: &Declared, declared: &Declared) -> Vec<Key> {
        let is_edited = |key: &Key| before.value(key) != declared.value(key);
        let (edited, rest) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(key, _)| is_edited(key));
        let mut edited = Self(edited);
        let yielded = edited.settle(declared);
        self.0 = rest;
        self.0.append(&mut edited.0);
        yielded
    }
}

struct Settling<'a> {
    declared: &'a Declared,
    kept: Overlay,
    yielded: Vec<Key>,
}

impl Settling<'_> {
    fn settle(&mut self, key: Key, held: Override) {
        let declared = self.declared.value(&key);
        if declared == held.base {
            self.kept.0.insert(key, held);
            return;
        }
        match (held.base, held.value, declared) {
            (None, Some(Value::Object(ours)), Some(Value::Object(_))) if key.is_mergeable() => {
                self.merge(&key, ours);
            }
            // The files have come to say the same.
            (_, value, declared) if value == declared => {}
            _ => self.yielded.push(key),
        }
    }

    /// Keep what an object adds to the one that the files add.
    fn merge(&mut self, key: &Key, ours: Map<String, Value>) {
        for (step, value) in ours {
            let key = key.clone().then(&step);
            match value {
                Value::Array(servers) if step == "servers" => self.merge_servers(&key, servers),
                value => self.settle_new(key, value),
            }
        }
    }

    fn merge_servers(&mut self, key: &Key, servers: Vec<Value>) {
        for server in servers {
            if let Some(id) = element::name(&Node::nowhere(&server)) {
                self.settle_new(key.clone().then(&id), server);
            }
        }
    }

    /// Settle a part of what was added where the files said nothing.
    fn settle_new(&mut self, key: Key, value: Value) {
        let held = Override {
            value: Some(value),
            base: None,
            added: 0,
        };
        self.settle(key, held);
    }
}
