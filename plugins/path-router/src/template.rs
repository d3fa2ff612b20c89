//! Texts with a place for what the path's pattern matched.

use crate::pattern::Pattern;

/// The target of a rewrite or a redirect.
#[derive(Debug)]
pub(crate) enum Template {
    /// The text itself.
    Plain(String),
    /// `*` stands for what the pattern's last `*` matched.
    Rest { before: String, after: String },
    /// `$1` stands for a regular expression's first group.
    Groups(String),
}

impl Template {
    /// Understand a text that belongs to a pattern.
    ///
    /// # Errors
    ///
    /// When it has a place that the pattern cannot fill.
    pub(crate) fn parse(text: &str, pattern: &Pattern) -> Result<Self, String> {
        if let Pattern::Regex(_) = pattern {
            return Ok(Self::Groups(text.into()));
        }
        match text.split_once('*') {
            None => Ok(Self::Plain(text.into())),
            Some((_, after)) if after.contains('*') => Err("only one * can be filled in".into()),
            Some(_) if !pattern.is_open() => {
                Err("a * here needs a `path` that ends in /*, which it repeats".into())
            }
            Some((before, after)) => Ok(Self::Rest {
                before: before.into(),
                after: after.into(),
            }),
        }
    }

    /// The text for a path that the pattern matches.
    pub(crate) fn fill(&self, pattern: &Pattern, path: &str) -> String {
        match (self, pattern) {
            (Self::Plain(text), _) => text.clone(),
            (Self::Rest { before, after }, _) => {
                [before, pattern.rest(path).unwrap_or(""), after].concat()
            }
            (Self::Groups(text), Pattern::Regex(regex)) => {
                let mut filled = String::new();
                if let Some(groups) = regex.captures(path) {
                    groups.expand(text, &mut filled);
                }
                filled
            }
            (Self::Groups(text), _) => text.clone(),
        }
    }
}
