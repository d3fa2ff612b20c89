//! A binding's configuration: from JSON text to the plugin's own type, with
//! errors that name the key.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;
use core::ops::RangeInclusive;

use serde::de::DeserializeOwned;

use crate::ConfigError;

/// What a role's `Config` can be: any type that serde can deserialize, or
/// [`NoConfig`].
pub trait Configuration: Sized {
    /// Read the binding's `config`.
    ///
    /// # Errors
    ///
    /// When the text does not fit: the error names the path of the first key
    /// that does not.
    fn from_json(json: &str) -> Result<Self, ConfigError>;
}

impl<T: DeserializeOwned> Configuration for T {
    fn from_json(json: &str) -> Result<Self, ConfigError> {
        parse(json)
    }
}

/// The configuration of a plugin that takes none; a key in it is refused.
///
/// It is not a type of serde's on purpose: a component without any JSON reader
/// is a third of the size.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoConfig;

impl Configuration for NoConfig {
    fn from_json(json: &str) -> Result<Self, ConfigError> {
        let inside = json.trim().strip_prefix('{').map(str::trim_start);
        if inside == Some("}") {
            return Ok(Self);
        }
        // The gateway hands over valid JSON, so the first quoted text is a key.
        let keys = inside.and_then(|text| text.strip_prefix('"'));
        let key = keys.and_then(|keys| keys.split('"').next());
        Err(refuse(
            key.unwrap_or_default(),
            "this plugin takes no configuration",
        ))
    }
}

/// A refusal of the value at `key`, such as `routes[2].path`; an empty key
/// means the whole. Say in one sentence what is wrong and what would be right.
pub fn refuse(key: impl Into<String>, reason: impl Into<String>) -> ConfigError {
    ConfigError {
        key: key.into(),
        reason: reason.into(),
    }
}

/// Refuse the value at `key` unless it lies in `range`.
///
/// # Errors
///
/// When it does not; the error names the key and the range.
pub fn within<T: Copy + PartialOrd + Display>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(refuse(
        key,
        format!("{value} is out of range: write {least} to {most}"),
    ))
}

/// Read a plugin's configuration from JSON.
///
/// # Errors
///
/// When the text is not what `T` takes: the error names the path of the first
/// key that does not fit.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, ConfigError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let config = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let key = error.path().to_string();
        // serde_path_to_error writes `.` for the root.
        let key = if key == "." { String::new() } else { key };
        refuse(key, unplaced(error.inner()))
    })?;
    reader.end().map_err(|error| refuse("", unplaced(&error)))?;
    Ok(config)
}

/// What is wrong, without where: nobody wrote this text, the gateway made it of
/// what stands in a file.
fn unplaced(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&place).unwrap_or(&message).into()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use serde::Deserialize;

    use super::{Configuration, NoConfig, parse, within};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        #[expect(dead_code, reason = "only its parsing is under test")]
        rows: Vec<Row>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row {
        #[expect(dead_code, reason = "only its parsing is under test")]
        weight: u32,
    }

    #[test]
    fn a_wrong_type_deep_inside_is_named_by_its_path() {
        let error = parse::<Table>(r#"{"rows":[{"weight":1},{"weight":"two"}]}"#).unwrap_err();
        assert_eq!(error.key, "rows[1].weight");
        assert!(error.reason.contains("expected u32"), "{}", error.reason);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = parse::<Row>(r#"{"weight": 1, "colour": 1}"#).unwrap_err();
        assert_eq!(error.key, "colour");
        let error = NoConfig::from_json(r#" { "colour": {"x": 1} }"#).unwrap_err();
        assert_eq!(error.key, "colour");
    }

    #[test]
    fn no_line_is_named_that_nobody_wrote() {
        for json in [
            r#"{"weight": 1, "colour": 1}"#,
            r#"{"weight": "two"}"#,
            "{}",
            r#"{"weight": 1} {}"#,
        ] {
            let error = parse::<Row>(json).unwrap_err();
            assert!(!error.reason.contains("line"), "{}", error.reason);
        }
        let error = parse::<Row>(r#"{"weight": 1, "colour": 1}"#).unwrap_err();
        assert_eq!(error.reason, "unknown field `colour`, expected `weight`");
    }

    #[test]
    fn a_fault_of_the_whole_has_an_empty_key() {
        assert_eq!(parse::<Row>("7").unwrap_err().key, "");
        assert_eq!(parse::<Row>(r#"{"weight": 1} {}"#).unwrap_err().key, "");
        assert_eq!(NoConfig::from_json("7").unwrap_err().key, "");
    }

    #[test]
    fn what_is_out_of_range_is_told_with_the_range() {
        assert!(within("decay_s", 3, 1..=3).is_ok());
        let error = within("decay_s", f64::NAN, 0.5..=3.0).unwrap_err();
        assert_eq!(error.key, "decay_s");
        assert_eq!(error.reason, "NaN is out of range: write 0.5 to 3");
    }

    #[test]
    fn no_configuration_is_an_empty_object() {
        assert!(NoConfig::from_json("{}").is_ok());
        assert!(NoConfig::from_json(" { } ").is_ok());
    }
}
