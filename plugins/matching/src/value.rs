//! What a header or a parameter must be.

use regex_lite::Regex;

/// Bytes that an expression is looked for in, at the most: the time that it takes
/// grows with each of them.
const LONGEST: usize = 2048;

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

    /// Whether a text meets it. One that is too long for an expression does not.
    pub fn accepts(&self, given: &str) -> bool {
        self.judges(given).unwrap_or(false)
    }

    /// Whether all of these texts meet it.
    pub fn accepts_all(&self, given: &[String]) -> bool {
        !self.is_too_much(given) && given.iter().all(|given| self.accepts(given))
    }

    /// Whether one of these texts meets it, or they are too long to be judged.
    pub fn may_accept_any(&self, given: &[String]) -> bool {
        self.is_too_much(given) || given.iter().any(|given| self.accepts(given))
    }

    /// Whether these texts are together too long for an expression to be looked
    /// for in each.
    pub fn is_too_much(&self, given: &[String]) -> bool {
        let bytes = given.iter().map(String::len).sum::<usize>();
        matches!(self, Self::Like(_)) && bytes > LONGEST
    }

    /// Whether a text meets it; none where it is too long for an expression to be
    /// looked for: what clients send must not decide how long a decision takes.
    fn judges(&self, given: &str) -> Option<bool> {
        match self {
            Self::Any => Some(true),
            Self::Exactly(text) => Some(text == given),
            Self::Like(_) if given.len() > LONGEST => None,
            Self::Like(regex) => Some(regex.is_match(given)),
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
    fn a_text_that_is_too_long_for_an_expression_is_not_judged() {
        let value = Value::parse("~^a+$").unwrap();
        let text = "a".repeat(super::LONGEST + 1);
        assert_eq!(value.judges(&text[1..]), Some(true));
        assert_eq!(value.judges(&text), None);
        assert!(!value.accepts(&text));
        assert_eq!(Value::Exactly(text.clone()).judges(&text), Some(true));
    }

    #[test]
    fn a_text_is_itself_a_star_anything_and_an_expression_found_anywhere() {
        let accepts = |written: &str, given: &str| Value::parse(written).unwrap().accepts(given);
        assert!(accepts("*", "") && accepts("1", "1") && !accepts("1", "12"));
        assert!(accepts("~[0-9]", "a1") && !accepts("~^[0-9]", "a1"));
        assert!(Value::parse("~(").is_err());
    }
}
