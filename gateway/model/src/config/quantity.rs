//! Durations and sizes as people write them: a number with its unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration with its unit: `"250ms"`, `"5s"`, `"1m"`, `"1h 30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A size with its unit: `"64KiB"`, `"1MB"`; a bare number is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Period {
    /// So many milliseconds.
    pub const fn ms(count: u64) -> Self {
        Self(Duration::from_millis(count))
    }

    /// So many seconds.
    pub const fn s(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }
}

impl Size {
    /// So many KiB.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// So many MiB.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

/// Why a text is no duration or no size: what is wrong and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// A bare number where a unit is needed.
    #[error("{text:?} has no unit; write \"{text}s\"")]
    NoUnit {
        /// What was written.
        text: String,
    },
    /// Anything else that is no duration.
    #[error(
        "{text:?} is no duration; write a number and a unit, such as \"250ms\", \"5s\" or \"1m\""
    )]
    NoDuration {
        /// What was written.
        text: String,
    },
    /// Anything that is no size.
    #[error(
        "{text:?} is no size; write a number and a unit, such as \"64KiB\", \"16MiB\" or \"1MB\""
    )]
    NoSize {
        /// What was written.
        text: String,
    },
}

impl FromStr for Period {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let is_bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_bare {
            return Err(QuantityError::NoUnit { text: text.into() });
        }
        let duration = humantime::parse_duration(text);
        duration
            .map(Self)
            .map_err(|_| QuantityError::NoDuration { text: text.into() })
    }
}

impl FromStr for Size {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let size = text.parse::<ByteSize>();
        size.map(|size| Self(size.as_u64()))
            .map_err(|_| QuantityError::NoSize { text: text.into() })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl fmt::Display for Size {
    /// In the largest unit that says it exactly, so that it reads back the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let exact = UNITS
            .iter()
            .find(|(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= *shift);
        match exact {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct PeriodVisitor;

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration in quotes with its unit, such as \"5s\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Period, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(PeriodVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size in quotes with its unit, such as \"64KiB\", or bytes as a whole number")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Size, E> {
        Ok(Size(bytes))
    }

    fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<Size, E> {
        let bytes = u64::try_from(bytes);
        bytes
            .map(Size)
            .map_err(|_| E::custom("a size is not negative; write 0 or more"))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration with its unit, such as 250ms, 5s, 1m, 1h 30m.",
            // A variable is replaced before the text is read.
            "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s*[a-zµ]+\s*)+$|\$\{.+\}",
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A size with its unit, such as 64KiB, 16MiB, 1MB; a bare number is bytes.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                {
                    "type": "string",
                    "pattern": r"^[0-9]+(\.[0-9]+)?\s*([kKmMgGtTpPeE]?[iI]?[bB]?)$|\$\{.+\}",
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        let error = "5".parse::<Period>().unwrap_err();
        assert_eq!(error.to_string(), r#""5" has no unit; write "5s""#);
        for text in ["", "s", "-5s", "5 parsecs", "five", "5s;"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn units_mean_what_they_say() {
        assert_eq!("250ms".parse(), Ok(Period::ms(250)));
        assert_eq!("1h30m".parse(), Ok(Period::s(5400)));
        assert_eq!("16MiB".parse(), Ok(Size::mib(16)));
        assert_eq!("64KiB".parse(), Ok(Size(65_536)));
        assert_eq!("1MB".parse(), Ok(Size(1_000_000)));
        assert_eq!("512".parse(), Ok(Size(512)));
        for text in ["", "MiB", "-1KiB", "1 apple", "1..5MB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_displayed_reads_back_the_same(ns in 0..u64::MAX / 4, bytes: u64, shift in 0..60) {
            let period = Period(Duration::from_nanos(ns));
            prop_assert_eq!(period.to_string().parse(), Ok(period));
            let size = Size(bytes >> shift << (shift / 2));
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn no_text_makes_a_quantity_panic(text in ".{0,24}", number in "[0-9.]{0,30} ?[a-zA-Zµ]{0,4}") {
            for text in [text, number] {
                let _ = text.parse::<Period>();
                let _ = text.parse::<Size>();
            }
        }
    }
}
