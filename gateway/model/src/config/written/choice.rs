//! Values that may be written in two ways. Each reads what stands there and
//! hands it to the right type itself, so that an error inside keeps its place;
//! serde's untagged enums would lose it.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A short text, or a table that says more.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum TextOr<T> {
    /// The short form.
    Text(String),
    /// The long form.
    Table(T),
}

impl<T> From<&str> for TextOr<T> {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

struct TextOrVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T> {
    type Value = TextOr<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Table)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

/// `false` for none, or a table; `true` is a table of defaults.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum SwitchOr<T> {
    /// On with every default, or off.
    Switch(bool),
    /// On, with what is written.
    Table(T),
}

impl<T: Default> SwitchOr<T> {
    /// The table in force; none when switched off.
    pub fn into_table(self) -> Option<T> {
        match self {
            Self::Switch(false) => None,
            Self::Switch(true) => Some(T::default()),
            Self::Table(table) => Some(table),
        }
    }
}

struct SwitchOrVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SwitchOrVisitor<T> {
    type Value = SwitchOr<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table, or false to switch it off")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Self::Value, E> {
        Ok(SwitchOr::Switch(on))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(SwitchOr::Table)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for SwitchOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SwitchOrVisitor(PhantomData))
    }
}

/// How many workers: `"auto"`, one for each processor that may be used, or a
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerCount {
    /// One for each processor.
    Auto,
    /// So many.
    Exactly(u64),
}

struct WorkerCountVisitor;

impl Visitor<'_> for WorkerCountVisitor {
    type Value = WorkerCount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"auto\" or a whole number from 1 to 1024")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WorkerCount, E> {
        match (text, text.parse()) {
            ("auto", _) => Ok(WorkerCount::Auto),
            // As a text too, so that `"${CORES}"` works.
            (_, Ok(count)) => Ok(WorkerCount::Exactly(count)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<WorkerCount, E> {
        Ok(WorkerCount::Exactly(count))
    }
}

impl<'de> Deserialize<'de> for WorkerCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WorkerCountVisitor)
    }
}

impl Serialize for WorkerCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Exactly(count) => serializer.serialize_u64(*count),
        }
    }
}

impl JsonSchema for WorkerCount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WorkerCount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 1024 },
                { "type": "string", "pattern": r"^(auto|[0-9]+)$|\$\{.+\}" },
            ],
        })
    }
}
