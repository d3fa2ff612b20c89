//! `${NAME}` and `${file:PATH}` in texts.

use std::path::{Path, PathBuf};

use super::dotenv::Lookup;
use super::error::{ConfigError, Place};
use super::explain::LETTERS;
use super::key_path::KeyPath;
use super::read::read_named;
use super::tree::{Node, Value};

/// What was put into a text. It may be a secret, so no error tells it, nor any
/// part of it.
#[derive(Clone, Debug)]
pub(super) struct PutIn {
    place: Place,
    /// The text as it is written.
    written: String,
    values: Vec<String>,
}

/// The fewest characters of a value that is looked for in messages about other
/// places: what is shorter is in many a word.
const TELLING: usize = 4;

impl PutIn {
    /// What is said about a place, without what was put in anywhere.
    pub(super) fn keep_back(all: &[Self], place: &Place, message: String) -> String {
        if let Some(here) = all.iter().find(|one| one.place == *place) {
            let written = &here.written;
            return format!(
                "what {written:?} stands for does not fit here; correct it where it comes from"
            );
        }
        let is_told = |value: &String| {
            // serde quotes texts as `{:?}` does, which leaves a `'` as it is.
            let quoted = format!("{value:?}");
            let quoted = quoted.trim_matches('"');
            let is_in = |text: &str| message.contains(beginning(text));
            value.len() >= TELLING && (is_in(value) || is_in(quoted))
        };
        match all.iter().find(|one| one.values.iter().any(is_told)) {
            Some(told) => {
                let written = &told.written;
                format!("what {written:?} stands for is wrong; correct it where it comes from")
            }
            None => message,
        }
    }
}

/// As much of a value as a message tells that shortens it, which has its quotation
/// mark before it.
fn beginning(value: &str) -> &str {
    match value.char_indices().nth(LETTERS - 1) {
        Some((end, _)) => &value[..end],
        None => value,
    }
}

/// Replaces what stands for something else in every text of a document; never
/// in keys. What was put in is not looked at again.
pub(super) struct Substitution<'a> {
    pub(super) variables: Lookup<'a>,
    /// What `${file:PATH}` is relative to.
    pub(super) folder: &'a Path,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
    pub(super) errors: Vec<ConfigError>,
    pub(super) put_in: Vec<PutIn>,
}

impl Substitution<'_> {
    /// Replaces in the whole tree.
    pub(super) fn apply(&mut self, node: &mut Node, path: &KeyPath) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => match self.replaced(text) {
                Ok((replaced, values)) => {
                    let written = std::mem::replace(text, replaced);
                    // `$${` alone puts nothing in.
                    if !values.is_empty() {
                        let place = node.place.clone();
                        self.put_in.push(PutIn {
                            place,
                            written,
                            values,
                        });
                    }
                }
                Err(message) => self.errors.push(ConfigError {
                    place: Some(node.place.clone()),
                    key: path.to_string(),
                    message,
                }),
            },
            Value::Array(array) => {
                for (index, element) in array.iter_mut().enumerate() {
                    self.apply(element, &path.index(index));
                }
            }
            Value::Table(table) => {
                for (key, value) in table {
                    self.apply(value, &path.key(key));
                }
            }
            _ => {}
        }
    }

    /// The text with everything replaced, and what was put in.
    fn replaced(&mut self, text: &str) -> Result<(String, Vec<String>), String> {
        let mut values = Vec::new();
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, at) = rest.split_at(start);
            // `$${` is how a text says `${`.
            if let Some(before) = before.strip_suffix('$') {
                replaced.push_str(before);
                replaced.push_str("${");
                rest = &at[2..];
                continue;
            }
            replaced.push_str(before);
            let Some(end) = at.find('}') else {
                return Err(
                    "\"${\" has no \"}\"; add it, or write \"$${\" for the characters themselves"
                        .into(),
                );
            };
            let value = self.value(&at[2..end])?;
            replaced.push_str(&value);
            values.push(value);
            rest = &at[end + 1..];
        }
        replaced.push_str(rest);
        Ok((replaced, values))
    }

    fn value(&mut self, name: &str) -> Result<String, String> {
        if let Some(path) = name.strip_prefix("file:") {
            return self.file(path);
        }
        if !is_variable(name) {
            return Err(format!(
                "\"${{{name}}}\" names no variable; write ${{NAME}} or ${{file:PATH}}, \
                 or \"$${{\" for the characters themselves"
            ));
        }
        let value = self.variables.get(name);
        value.ok_or_else(|| {
            format!("the environment variable {name} is not set; set it, or write the value here")
        })
    }

    fn file(&mut self, path: &str) -> Result<String, String> {
        let path = self.folder.join(path);
        let text = read_named(&path)?;
        self.files.push(path);
        // Editors and `echo` end a file with a line end that nobody means.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }
}

fn is_variable(name: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    name.bytes().all(is_word) && name.starts_with(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Medium;

    #[test]
    fn a_shortened_secret_is_kept_back_too() {
        let place = |line| Place {
            file: Path::new("gatewright.toml").into(),
            line: Some(line),
        };
        let secret = "se\"cret".repeat(100);
        let message = format!("invalid type: string {secret:?}, expected u32");
        let put_in = PutIn {
            place: place(1),
            written: "${SECRET}".to_owned(),
            values: vec![secret],
        };
        let message = Medium::File.explain(&message);
        let told = PutIn::keep_back(&[put_in], &place(2), message);
        assert_eq!(
            told,
            "what \"${SECRET}\" stands for is wrong; correct it where it comes from"
        );
    }

    #[test]
    fn a_secret_with_quotation_marks_of_both_kinds_is_kept_back() {
        let place = |line| Place {
            file: Path::new("gatewright.toml").into(),
            line: Some(line),
        };
        for secret in ["it's \"secret\"", "\"it's\"", "it's secret", "\"secret\""] {
            let put_in = PutIn {
                place: place(1),
                written: "${SECRET}".to_owned(),
                values: vec![secret.to_owned()],
            };
            let text = format!("<{secret}>");
            let message = format!("invalid type: string {text:?}, expected u32");
            let message = Medium::File.explain(&message);
            let told = PutIn::keep_back(&[put_in], &place(2), message);
            assert_eq!(
                told,
                "what \"${SECRET}\" stands for is wrong; correct it where it comes from"
            );
        }
    }
}
