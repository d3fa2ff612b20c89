//! A TOML document.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::whole;
use crate::config::error::{ConfigError, Place};
use crate::config::key_path::KeyPath;
use crate::config::tree::{Node, Value};

/// Reads a TOML document.
pub(super) fn read(text: &str, file: &Arc<Path>) -> Result<Node, ConfigError> {
    let reader = Reader {
        file,
        starts: line_starts(text),
    };
    match DeTable::parse(text) {
        Ok(table) => {
            let value = reader.table(table.into_inner(), &KeyPath::default())?;
            Ok(Node {
                place: whole(file),
                value,
            })
        }
        Err(error) => {
            let span = error.span().unwrap_or_default();
            let mut message = error.message().trim().replace('\n', ", ");
            if message == "duplicate key" {
                let key = text.get(span.clone()).unwrap_or_default();
                message = format!("the key {key} is there twice; keep one of the two");
            }
            Err(reader.error(
                span.start,
                &KeyPath::default(),
                format!("no TOML: {message}"),
            ))
        }
    }
}

/// Where lines begin, in bytes. Behind the end of the last one none does: what
/// is missing there is missing on that line.
fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(end, _)| end + 1);
    let begins = ends.filter(|&begin| begin < text.len());
    std::iter::once(0).chain(begins).collect()
}

/// Turns the parser's tree into ours, byte ranges into lines.
struct Reader<'a> {
    file: &'a Arc<Path>,
    starts: Vec<usize>,
}

impl Reader<'_> {
    fn place(&self, start: usize) -> Place {
        Place {
            file: Arc::clone(self.file),
            line: Some(self.starts.partition_point(|line| *line <= start)),
        }
    }

    fn error(&self, start: usize, path: &KeyPath, message: String) -> ConfigError {
        ConfigError {
            place: Some(self.place(start)),
            key: path.to_string(),
            message,
        }
    }

    fn table(&self, table: DeTable<'_>, path: &KeyPath) -> Result<Value, ConfigError> {
        let mut nodes = BTreeMap::new();
        for (key, value) in table {
            let path = path.key(key.get_ref());
            // An error is shown where the key stands: the value of a table may
            // begin anywhere.
            let start = key.span().start;
            let value = self.value(value.into_inner(), start, &path)?;
            let place = self.place(start);
            nodes.insert(key.into_inner().into_owned(), Node { place, value });
        }
        Ok(Value::Table(nodes))
    }

    fn value(
        &self,
        value: DeValue<'_>,
        start: usize,
        path: &KeyPath,
    ) -> Result<Value, ConfigError> {
        Ok(match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Boolean(bool) => Value::Bool(bool),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                let message = || "the number is out of range; write at most 2^63 - 1".to_owned();
                Value::Integer(number.map_err(|_| self.error(start, path, message()))?)
            }
            DeValue::Float(float) => match float.as_str().parse() {
                Ok(float) if f64::is_finite(float) => Value::Float(float),
                _ => {
                    let message = format!("{} is no finite number; write one", float.as_str());
                    return Err(self.error(start, path, message));
                }
            },
            DeValue::Datetime(date) => {
                let message = format!("no key holds a date; write it in quotes: \"{date}\"");
                return Err(self.error(start, path, message));
            }
            DeValue::Array(array) => {
                let mut nodes = Vec::with_capacity(array.len());
                for (index, element) in array.into_iter().enumerate() {
                    let start = element.span().start;
                    let value = self.value(element.into_inner(), start, &path.index(index))?;
                    let place = self.place(start);
                    nodes.push(Node { place, value });
                }
                Value::Array(nodes)
            }
            DeValue::Table(table) => self.table(table, path)?,
        })
    }
}
