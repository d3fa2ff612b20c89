//! serde's messages in the words of whoever wrote what was read: a
//! configuration file, or JSON that came to the API.

use super::error::did_you_mean;

/// What was read, and so what its parts are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A configuration file: keys, tables, arrays.
    File,
    /// JSON: fields, objects, lists.
    Json,
}

/// The most letters of a value that a message repeats.
pub(super) const LETTERS: usize = 60;

impl Medium {
    /// A message of serde's as reason and remedy; one that is not known is
    /// given back as it is, also where it begins as serde's do and goes on otherwise.
    pub fn explain(self, message: &str) -> String {
        let part = self.of("key", "field");
        if let Some((name, known)) = unknown(message, "field") {
            let known = did_you_mean(&shortened(name), known);
            format!("this {part} is not known; {known}")
        } else if let Some((wrong, known)) = unknown(message, "variant") {
            let wrong = shortened(wrong);
            let known = did_you_mean(&wrong, known);
            format!("{wrong:?} is not known; {known}")
        } else if let Some(missing) = quoted(message, "missing field ") {
            format!("the {part} {missing:?} is missing; add it")
        } else if let Some(twice) = quoted(message, "duplicate field ") {
            format!("the {part} {twice:?} is there twice; leave one out")
        } else if is_list_for_struct(message) {
            let list = self.of("an array", "a list");
            let object = self.of("a table", "an object");
            format!("{list} does not fit here; write {object}")
        } else {
            self.mismatch(message).unwrap_or_else(|| message.to_owned())
        }
    }

    /// The word for one of the media in a pair of both.
    fn of(self, file: &'static str, json: &'static str) -> &'static str {
        match self {
            Self::File => file,
            Self::Json => json,
        }
    }

    /// `invalid type: integer `5`, expected a string` and its like.
    fn mismatch(self, message: &str) -> Option<String> {
        let said = message
            .strip_prefix("invalid type: ")
            .or_else(|| message.strip_prefix("invalid value: "))?;
        let (found, expected) = said.rsplit_once(", expected ")?;
        if !is_value(found) {
            return None;
        }
        let found = match found {
            "map" => self.of("a table", "an object").to_owned(),
            "sequence" => self.of("an array", "a list").to_owned(),
            // The value alone: its type is plain to see.
            _ => match found.split_once(' ') {
                Some(("string", text)) => shortened(text),
                _ => shortened(found.split('`').nth(1).unwrap_or(found)),
            },
        };
        let expected = self.expectation(expected);
        Some(format!("{found} does not fit here; write {expected}"))
    }

    /// What serde expects by its Rust name.
    fn expectation(self, expected: &str) -> &str {
        match expected {
            "a sequence" => self.of("an array", "a list"),
            "a map" => self.of("a table", "an object"),
            "a string or a table" => self.of(
                "a text in quotes or a table",
                "a text in quotes or an object",
            ),
            "a string" | "a borrowed string" | "string or map" => "a text in quotes",
            "a boolean" => "true or false",
            "u8" => "a whole number from 0 to 255",
            "u16" => "a whole number from 0 to 65535",
            "a nonzero u16" => "a whole number from 1 to 65535",
            "u32" => "a whole number from 0 to 4294967295",
            "a nonzero u32" => "a whole number from 1 to 4294967295",
            "u64" | "usize" => "a whole number, 0 or more",
            "f64" => "a number",
            _ if expected.starts_with("struct ") => self.of("a table", "an object"),
            _ => expected,
        }
    }
}

/// What stands in backquotes after these words, if that is all.
fn quoted<'m>(message: &'m str, words: &str) -> Option<&'m str> {
    let name = message.strip_prefix(words)?;
    let name = name.strip_prefix('`')?.strip_suffix('`')?;
    (!name.contains('`')).then_some(name)
}

/// `unknown field `c`, expected `a` or `b`` and its like: what is not known, and what
/// is.
fn unknown<'m>(message: &'m str, kind: &str) -> Option<(&'m str, Vec<&'m str>)> {
    let words = format!("unknown {kind} ");
    let none = format!(", there are no {kind}s");
    // Neither is there always.
    let alone = message.strip_suffix(&none).unwrap_or(message);
    if let Some(name) = quoted(alone, &words) {
        return Some((name, Vec::new()));
    }
    let (name, known) = message.strip_prefix(&words)?.rsplit_once(", expected ")?;
    let name = name.strip_prefix('`')?.strip_suffix('`')?;
    let known = known.strip_prefix("one of ").unwrap_or(known);
    let mut between = known.split('`').step_by(2);
    let is_list = between.all(|text| matches!(text, "" | ", " | " or "));
    is_list.then(|| (name, known.split('`').skip(1).step_by(2).collect()))
}

/// `invalid length 1, expected struct A with 2 elements`: the elements of a list are
/// taken for a struct's fields.
fn is_list_for_struct(message: &str) -> bool {
    let said = message.strip_prefix("invalid length ");
    let said = said.and_then(|said| said.split_once(", expected struct "));
    said.is_some_and(|(length, expected)| {
        length.parse::<usize>().is_ok()
            && (expected.ends_with(" element") || expected.ends_with(" elements"))
    })
}

/// Whether serde calls a value so: by its kind, and for some by itself.
fn is_value(found: &str) -> bool {
    let kinds = ["boolean ", "integer ", "floating point ", "character "];
    let is_text = found.starts_with("string \"") && found.ends_with('"');
    matches!(
        found,
        "map" | "sequence" | "null" | "unit value" | "Option value" | "enum"
    ) || is_text
        || kinds.into_iter().any(|kind| quoted(found, kind).is_some())
}

/// A value's beginning: it may be a whole file.
fn shortened(value: &str) -> String {
    match value.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Example {
        port: u16,
        names: Option<Vec<String>>,
        mood: Option<Mood>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mood {
        Kind,
        Stern,
    }

    fn told(value: Value) -> String {
        let error = serde_json::from_value::<Example>(value).unwrap_err();
        Medium::Json.explain(&error.to_string())
    }

    #[test]
    fn json_is_explained_in_words_of_json() {
        let port = "does not fit here; write a whole number from 0 to 65535";
        for (value, words) in [
            (json!({ "port": 70000 }), format!("70000 {port}")),
            (json!({ "port": "x" }), format!("\"x\" {port}")),
            (json!({ "port": null }), format!("null {port}")),
            (json!({ "port": {} }), format!("an object {port}")),
            (
                json!({}),
                "the field \"port\" is missing; add it".to_owned(),
            ),
            (
                json!({ "port": 1, "names": "a" }),
                "\"a\" does not fit here; write a list".to_owned(),
            ),
            (
                json!({ "port": 1, "mood": 5 }),
                "5 does not fit here; write a text in quotes".to_owned(),
            ),
            (
                json!({ "port": 1, "mood": "kin" }),
                "\"kin\" is not known; did you mean \"kind\"? (there are: kind, stern)".to_owned(),
            ),
            (
                json!({ "prot": 1 }),
                "this field is not known; did you mean \"port\"? (there are: port, names, mood)"
                    .to_owned(),
            ),
            (
                json!([]),
                "a list does not fit here; write an object".to_owned(),
            ),
        ] {
            let what = value.to_string();
            assert_eq!(told(value), words, "{what}");
        }
    }

    #[test]
    fn what_only_begins_as_serde_says_it_stays_whole() {
        for own in [
            "missing field `zone`: the pool spans two",
            "duplicate field `zone` in `a` and `b`",
            "unknown field `zone`: `pool` has none",
            "unknown field `zone`, expected `a` or `b`, as of version 2",
            "unknown variant `near` of `zone`",
            "invalid length 3, expected struct-like names",
            "invalid value: the zone, expected one that the pool has",
            "invalid type: no idea",
        ] {
            assert_eq!(Medium::File.explain(own), own);
        }
    }

    #[test]
    fn keys_may_be_known_or_not_with_any_number_of_others() {
        for (message, words) in [
            ("unknown field `c`, expected `d`", "d"),
            ("unknown field `c`, expected `d` or `e`", "d, e"),
            (
                "unknown field `c`, expected one of `d`, `e`, `f`",
                "d, e, f",
            ),
        ] {
            let told = Medium::File.explain(message);
            assert!(told.starts_with("this key is not known; "), "{told}");
            assert!(told.contains(words), "{told}");
        }
        for message in [
            "unknown field `c`",
            "unknown field `c`, there are no fields",
        ] {
            let told = Medium::File.explain(message);
            assert!(told.starts_with("this key is not known; "), "{told}");
        }
    }

    #[test]
    fn a_long_value_is_not_repeated_whole() {
        let told = told(json!({ "port": "ü".repeat(10_000) }));
        assert!(told.len() < 250, "{told}");
        assert!(told.contains("…"), "{told}");
    }
}
