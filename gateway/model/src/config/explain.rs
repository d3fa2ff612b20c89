//! serde's messages in the words of a configuration file.

use super::error::did_you_mean;

/// What serde expects by its Rust name, and what it is in a file.
const EXPECTATIONS: [(&str, &str); 9] = [
    ("a sequence", "an array"),
    ("a map", "a table"),
    ("a boolean", "true or false"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number, 0 or more"),
    ("f64", "a number"),
    ("a string", "a text in quotes"),
    ("a string or a table", "a text in quotes or a table"),
];

/// A message of serde's as reason and remedy.
pub(super) fn explain(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match (message, quoted.as_slice()) {
        (_, [_, known @ ..]) if message.starts_with("unknown field") => {
            format!(
                "this key is not known; {}",
                did_you_mean(quoted[0], known.iter().copied())
            )
        }
        (_, [wrong, known @ ..]) if message.starts_with("unknown variant") => {
            format!(
                "{wrong:?} is not known; {}",
                did_you_mean(wrong, known.iter().copied())
            )
        }
        (_, [missing]) if message.starts_with("missing field") => {
            format!("the key {missing:?} is missing; add it")
        }
        _ => mismatch(message).unwrap_or_else(|| message.to_owned()),
    }
}

/// `invalid type: integer `5`, expected a string` and its like.
fn mismatch(message: &str) -> Option<String> {
    let said = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = said.rsplit_once(", expected ")?;
    let found = match found {
        "map" => "a table".to_owned(),
        "sequence" => "an array".to_owned(),
        // The value alone: its type is plain to see.
        _ => match found.split_once(' ') {
            Some(("string", text)) => text.to_owned(),
            _ => found.split('`').nth(1).unwrap_or(found).to_owned(),
        },
    };
    let expected = EXPECTATIONS
        .iter()
        .find(|(serde, _)| *serde == expected)
        .map(|(_, words)| *words)
        .or_else(|| expected.starts_with("struct ").then_some("a table"))
        .unwrap_or(expected);
    Some(format!("{found} does not fit here; write {expected}"))
}
