//! A document as a tree of values that know where they stand: what files are
//! merged in, and what serde reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::element;
use super::error::{ConfigError, Place};
use super::key_path::{KeyPath, Step};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What TOML can say, without dates: nothing in a configuration is one.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    /// The value at a path, or the nearest one above it that is there.
    pub(super) fn nearest(&self, path: &KeyPath) -> &Self {
        let mut node = self;
        for step in path.steps() {
            let next = match (&node.value, step) {
                (Value::Table(table), Step::Key(key)) => table.get(key),
                (Value::Array(array), Step::Index(index)) => array.get(*index),
                (Value::Array(array), Step::Key(name)) => element::named(array, name),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// The entries of a table within this one; none if there is none.
    pub(super) fn table_at(&mut self, key: &str) -> impl Iterator<Item = (&String, &mut Self)> {
        let inner = match &mut self.value {
            Value::Table(table) => table.get_mut(key),
            _ => None,
        };
        let entries = inner.and_then(|inner| match &mut inner.value {
            Value::Table(table) => Some(table.iter_mut()),
            _ => None,
        });
        entries.into_iter().flatten()
    }

    /// The same as JSON, for serde.
    pub(super) fn to_json(&self) -> Json {
        match &self.value {
            Value::Bool(bool) => Json::from(*bool),
            Value::Integer(integer) => Json::from(*integer),
            Value::Float(float) => Json::from(*float),
            Value::Text(text) => Json::from(text.as_str()),
            Value::Array(array) => array.iter().map(Self::to_json).collect(),
            Value::Table(table) => table
                .iter()
                .map(|(key, node)| (key.clone(), node.to_json()))
                .collect(),
        }
    }

    /// A JSON value that stands in one place as a whole; what is null is not
    /// there.
    pub(super) fn of_json(json: &Json, place: &Place) -> Self {
        let node = |json| Self::of_json(json, place);
        let value = match json {
            Json::Null => Value::Table(BTreeMap::new()),
            Json::Bool(bool) => Value::Bool(*bool),
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                // Beyond what a file can say, it is out of every range too.
                None => Value::Float(number.as_f64().unwrap_or(f64::MAX)),
            },
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(array) => Value::Array(array.iter().map(node).collect()),
            Json::Object(object) => {
                let present = object.iter().filter(|(_, value)| !value.is_null());
                let entries = present.map(|(key, value)| (key.clone(), node(value)));
                Value::Table(entries.collect())
            }
        };
        Self {
            place: place.clone(),
            value,
        }
    }

    /// A JSON value that no file says.
    pub(super) fn nowhere(json: &Json) -> Self {
        let file = Arc::from(Path::new(""));
        Self::of_json(json, &Place { file, line: None })
    }

    /// Takes in another document: tables are merged, arrays of tables appended,
    /// and what both say is an error.
    pub(super) fn merge(&mut self, other: Self, path: &KeyPath, errors: &mut Vec<ConfigError>) {
        match (&mut self.value, other.value) {
            (Value::Table(mine), Value::Table(theirs)) => {
                for (key, node) in theirs {
                    match mine.get_mut(&key) {
                        Some(present) => present.merge(node, &path.key(&key), errors),
                        None => _ = mine.insert(key, node),
                    }
                }
            }
            (Value::Array(mine), Value::Array(theirs))
                if mine.iter().chain(&theirs).all(Self::is_table) =>
            {
                mine.extend(theirs);
            }
            _ => errors.push(ConfigError {
                place: Some(other.place),
                key: path.to_string(),
                message: format!("{} says it already; keep one of the two", self.place),
            }),
        }
    }

    fn is_table(&self) -> bool {
        matches!(self.value, Value::Table(_))
    }
}
