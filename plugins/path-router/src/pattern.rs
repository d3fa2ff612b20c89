//! What a route's path matches, and which of two patterns is the more specific.

use gatewright_matching::{Glob, Specificity, expressed};
use regex_lite::Regex;

/// A route's path, understood.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// `/about`, `/api/*`, `/users/*/orders`.
    Glob(Glob),
    /// `~^/v[0-9]+/`: found anywhere in the path, unless it is anchored.
    Regex(Regex),
}

impl Pattern {
    /// Understand a path as it is written.
    ///
    /// # Errors
    ///
    /// What is wrong with it and what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(expression) = text.strip_prefix('~') {
            return expressed(expression).map(Self::Regex);
        }
        if !text.starts_with('/') {
            return Err("a path begins with /, a regular expression with ~".into());
        }
        if text.contains('?') {
            return Err("a path has no query: match the query with `query`".into());
        }
        Glob::parse(text).map(Self::Glob)
    }

    /// Whether a normalised path matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Glob(glob) => glob.matches(path),
            Self::Regex(regex) => regex.is_match(path),
        }
    }

    /// Whether a path that begins with a slash matches wherever the table looks for
    /// this pattern.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Glob(Glob::Exact(_) | Glob::Prefix(_)))
    }

    /// What the last `*` of an open pattern stands for in a path that matches;
    /// empty for a pattern that is not open.
    pub(crate) fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self {
            Self::Glob(glob) => glob.rest(path),
            Self::Regex(_) => Some(""),
        }
    }

    /// Whether it ends in `/*`.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Glob(glob) if glob.is_open())
    }

    /// How specific it is.
    pub(crate) fn specificity(&self) -> Specificity {
        match self {
            Self::Glob(glob) => glob.specificity(),
            Self::Regex(_) => Specificity::of_an_expression(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn what_can_never_match_is_refused() {
        for text in ["api", "/a?b=1", "/a//b", "/a/../b", "/a/**", "~("] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
