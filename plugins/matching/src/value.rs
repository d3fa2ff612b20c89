//! What a header or a parameter must be.

use regex_lite::Regex;

/// A condition on a text, understood.
#[derive(Clone, Debug)]
pub enum Value {
    /// `*`: whatever it is, if it is there.
    Any,
    /// The text itself.
    Exactly(String),
    /// `~expression`: found anywhere in it, unless it is anchored.
    Like(Regex),
}

impl Value {
    /// Understand a condition as it is written.
    ///
    /// # Errors
    ///
    /// What is wrong with its regular expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text.strip_prefix('~') {
            Some(expression) => Self::Like(expressed(expression)?),
            None if text == "*" => Self::Any,
            None => Self::Exactly(text.into()),
        })
    }

    /// Whether a text meets it.
    pub fn accepts(&self, given: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(text) => text == given,
            Self::Like(regex) => regex.is_match(given),
        }
    }
}

/// Understand a regular expression.
///
/// # Errors
///
/// What is wrong with it.
pub fn expressed(expression: &str) -> Result<Regex, String> {
    Regex::new(expression).map_err(|error| format!("not a regular expression: {error}"))
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn a_text_is_itself_a_star_anything_and_an_expression_found_anywhere() {
        let accepts = |written: &str, given: &str| Value::parse(written).unwrap().accepts(given);
        assert!(accepts("*", "") && accepts("1", "1") && !accepts("1", "12"));
        assert!(accepts("~[0-9]", "a1") && !accepts("~^[0-9]", "a1"));
        assert!(Value::parse("~(").is_err());
    }
}
