//! A YAML document, of the core schema of YAML 1.2. What is null is not there.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScanError, Span, StrInput};

use super::whole;
use crate::config::error::{ConfigError, Place};
use crate::config::key_path::KeyPath;
use crate::config::tree::{Node, Value};

/// The most values within values.
const MAX_DEPTH: usize = 64;

/// The most values, those that aliases repeat included: a few aliases of
/// aliases could say more than the memory holds.
const MAX_VALUES: usize = 1_000_000;

/// Reads a document; `language` is what to call it when it is none.
pub(super) fn read(text: &str, file: &Arc<Path>, language: &str) -> Result<Node, ConfigError> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        file,
        lines: text.lines().count().max(1),
        language,
        anchors: HashMap::new(),
        values: 0,
    };
    let path = KeyPath::default();
    let mut root = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) if root.is_some() => {
                let message = "a second document begins here; write one a file";
                return Err(reader.error(span, &path, message));
            }
            Event::DocumentStart(_) => {
                let (event, span) = reader.next()?;
                root = Some(reader.value(event, span, &path, 0)?);
            }
            _ => return Err(reader.error(span, &path, "the document ends here; remove the rest")),
        }
    }
    let value = root.flatten().unwrap_or(Value::Table(BTreeMap::new()));
    Ok(Node {
        place: whole(file),
        value,
    })
}

/// Turns the parser's events into our tree.
struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    file: &'t Arc<Path>,
    /// How many lines it has.
    lines: usize,
    language: &'t str,
    /// What aliases stand for, and how many values that is.
    anchors: HashMap<usize, (Option<Value>, usize)>,
    /// How many there have been.
    values: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), ConfigError> {
        // Its last event ends the reading.
        let event = self.parser.next_event();
        let event = event.unwrap_or(Ok((Event::StreamEnd, Span::default())));
        event.map_err(|error: ScanError| ConfigError {
            place: Some(self.place(error.marker().line())),
            key: String::new(),
            message: format!("no {}: {}", self.language, error.info()),
        })
    }

    /// The value that begins with an event; none for null.
    fn value(
        &mut self,
        event: Event<'t>,
        span: Span,
        path: &KeyPath,
        depth: usize,
    ) -> Result<Option<Value>, ConfigError> {
        if depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} values are within each other");
            return Err(self.error(span, path, &message));
        }
        let before = self.values;
        self.count(1, span, path)?;
        let (value, anchor) = match event {
            Event::Alias(anchor) => return self.repeated(anchor, span, path),
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref());
                let message = "the value is not what its tag says; correct one of the two";
                let scalar = scalar.ok_or_else(|| self.error(span, path, message))?;
                (self.scalar(scalar, span, path)?, anchor)
            }
            Event::SequenceStart(anchor, _) => (Some(self.array(path, depth)?), anchor),
            Event::MappingStart(anchor, _) => (Some(self.table(path, depth)?), anchor),
            _ => return Err(self.error(span, path, "a value is missing here")),
        };
        // The parser counts anchors from 1.
        if anchor > 0 {
            let values = self.values - before;
            self.anchors.insert(anchor, (value.clone(), values));
        }
        Ok(value)
    }

    fn scalar(
        &self,
        scalar: Scalar<'_>,
        span: Span,
        path: &KeyPath,
    ) -> Result<Option<Value>, ConfigError> {
        Ok(Some(match scalar {
            Scalar::Null => return Ok(None),
            Scalar::Boolean(bool) => Value::Bool(bool),
            Scalar::Integer(integer) => Value::Integer(integer),
            Scalar::FloatingPoint(float) if float.is_finite() => Value::Float(*float),
            Scalar::FloatingPoint(float) => {
                let message = format!("{float} is no finite number; write one");
                return Err(self.error(span, path, &message));
            }
            Scalar::String(text) => Value::Text(text.into_owned()),
        }))
    }

    fn array(&mut self, path: &KeyPath, depth: usize) -> Result<Value, ConfigError> {
        let mut nodes = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(nodes));
            }
            let path = path.index(nodes.len());
            let value = self.value(event, span, &path, depth + 1)?;
            let value = value.ok_or_else(|| self.error(span, &path, "the element is empty"))?;
            let place = self.place(span.start.line());
            nodes.push(Node { place, value });
        }
    }

    fn table(&mut self, path: &KeyPath, depth: usize) -> Result<Value, ConfigError> {
        let mut nodes = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Table(nodes)),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(self.error(span, path, "a key must be a text")),
            };
            let inner = path.key(&key);
            let (event, at) = self.next()?;
            let value = self.value(event, at, &inner, depth + 1)?;
            if nodes.contains_key(&key) {
                let message = format!("the key {key} is there twice; keep one of the two");
                return Err(self.error(span, path, &message));
            }
            if let Some(value) = value {
                // As for TOML, an error is shown where the key stands.
                let place = self.place(span.start.line());
                nodes.insert(key, Node { place, value });
            }
        }
    }

    /// What an alias stands for.
    fn repeated(
        &mut self,
        anchor: usize,
        span: Span,
        path: &KeyPath,
    ) -> Result<Option<Value>, ConfigError> {
        let message = "the alias stands for what it is a part of";
        let found = self.anchors.get(&anchor).cloned();
        let (value, values) = found.ok_or_else(|| self.error(span, path, message))?;
        self.count(values, span, path)?;
        Ok(value)
    }

    fn count(&mut self, values: usize, span: Span, path: &KeyPath) -> Result<(), ConfigError> {
        self.values += values;
        if self.values > MAX_VALUES {
            let message = format!("more than {MAX_VALUES} values, those of aliases included");
            return Err(self.error(span, path, &message));
        }
        Ok(())
    }

    /// A line of the file. What is missing at the end of the last one, the
    /// parser misses on the line behind it.
    fn place(&self, line: usize) -> Place {
        Place {
            file: Arc::clone(self.file),
            line: Some(line.min(self.lines)),
        }
    }

    fn error(&self, span: Span, path: &KeyPath, message: &str) -> ConfigError {
        ConfigError {
            place: Some(self.place(span.start.line())),
            key: path.to_string(),
            message: message.to_owned(),
        }
    }
}
