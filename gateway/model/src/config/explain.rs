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
    /// given back as it is.
    pub fn explain(self, message: &str) -> String {
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let part = self.of("key", "field");
        match (message, quoted.as_slice()) {
            (_, [_, known @ ..]) if message.starts_with("unknown field") => {
                let name = shortened(quoted[0]);
                let known = did_you_mean(&name, known.iter().copied());
                format!("this {part} is not known; {known}")
            }
            (_, [wrong, known @ ..]) if message.starts_with("unknown variant") => {
                let wrong = shortened(wrong);
                let known = did_you_mean(&wrong, known.iter().copied());
                format!("{wrong:?} is not known; {known}")
            }
            (_, [missing]) if message.starts_with("missing field") => {
                format!("the {part} {missing:?} is missing; add it")
            }
            (_, [twice]) if message.starts_with("duplicate field") => {
                format!("the {part} {twice:?} is there twice; leave one out")
            }
            // The elements of a list are taken for a struct's fields.
            _ if message.starts_with("invalid length") && message.contains("expected struct ") => {
                let list = self.of("an array", "a list");
                let object = self.of("a table", "an object");
                format!("{list} does not fit here; write {object}")
            }
            _ => self.mismatch(message).unwrap_or_else(|| message.to_owned()),
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
    fn a_long_value_is_not_repeated_whole() {
        let told = told(json!({ "port": "ü".repeat(10_000) }));
        assert!(told.len() < 250, "{told}");
        assert!(told.contains("…"), "{told}");
    }
}
