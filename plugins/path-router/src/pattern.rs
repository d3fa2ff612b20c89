//! What a route's path matches, and which of two patterns is the more specific.

use std::cmp::Reverse;

use regex_lite::Regex;

/// A route's path, understood.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// `/about`: this path.
    Exact(String),
    /// `/api/*`: `/api` and all below it. Holds `/api`; empty for `/*`.
    Prefix(String),
    /// `/users/*/orders`: `*` stands for any text within a segment; if the
    /// pattern is open, ending in `/*`, all below it matches too.
    Wildcard {
        /// The text between the slashes, without the last `*` of an open one.
        segments: Vec<String>,
        /// Whether it ends in `/*`.
        open: bool,
        /// The text up to the first `*`.
        lead: String,
    },
    /// `~^/v[0-9]+/`: found anywhere in the path, unless it is anchored.
    Regex(Regex),
}

/// How specific a pattern is: the smallest comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Specificity {
    class: Class,
    /// Bytes before the first `*`.
    lead: Reverse<usize>,
    /// Bytes that are not `*`.
    literal: Reverse<usize>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Class {
    Exact,
    Glob,
    Regex,
    /// `/*`, which would otherwise hide every regular expression.
    Everything,
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
        check(text)?;
        let (closed, open) = match text.strip_suffix("/*") {
            Some(closed) => (closed, true),
            None => (text, false),
        };
        Ok(match (closed.find('*'), open) {
            (None, true) => Self::Prefix(closed.into()),
            (None, false) => Self::Exact(closed.into()),
            (Some(star), open) => Self::Wildcard {
                segments: closed.split('/').skip(1).map(Into::into).collect(),
                open,
                lead: closed[..star].into(),
            },
        })
    }

    /// Whether a normalised path matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => text == path,
            Self::Prefix(_) | Self::Wildcard { .. } => self.rest(path).is_some(),
            Self::Regex(regex) => regex.is_match(path),
        }
    }

    /// What the last `*` of an open pattern stands for in a path that matches;
    /// empty for a pattern that is not open.
    pub(crate) fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self {
            Self::Prefix(folder) => below(path, folder),
            Self::Wildcard { segments, open, .. } => after_segments(path, segments, *open),
            Self::Exact(_) | Self::Regex(_) => Some(""),
        }
    }

    /// Whether it ends in `/*`.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Prefix(_) => true,
            Self::Wildcard { open, .. } => *open,
            Self::Exact(_) | Self::Regex(_) => false,
        }
    }

    /// The folder that a path must lie in, or be, to match a glob.
    pub(crate) fn folder(&self) -> &str {
        match self {
            Self::Prefix(folder) => folder,
            Self::Wildcard { lead, .. } => lead.rsplit_once('/').map_or("", |(folder, _)| folder),
            Self::Exact(_) | Self::Regex(_) => "",
        }
    }

    /// How specific it is.
    pub(crate) fn specificity(&self) -> Specificity {
        let (class, lead, literal) = match self {
            Self::Exact(text) => (Class::Exact, text.len(), text.len()),
            Self::Prefix(folder) if folder.is_empty() => (Class::Everything, 0, 0),
            Self::Prefix(folder) => (Class::Glob, folder.len() + 1, folder.len() + 1),
            Self::Wildcard {
                segments,
                open,
                lead,
            } => {
                let text: usize = segments
                    .iter()
                    .map(|segment| 1 + literal_bytes(segment))
                    .sum();
                (Class::Glob, lead.len(), text + usize::from(*open))
            }
            Self::Regex(_) => (Class::Regex, 0, 0),
        };
        Specificity {
            class,
            lead: Reverse(lead),
            literal: Reverse(literal),
        }
    }
}

/// Understand a regular expression.
pub(crate) fn expressed(expression: &str) -> Result<Regex, String> {
    Regex::new(expression).map_err(|error| format!("not a regular expression: {error}"))
}

fn check(text: &str) -> Result<(), String> {
    let fault = if !text.starts_with('/') {
        "a path begins with /, a regular expression with ~"
    } else if text.contains(['?', '#']) {
        "a path has no query and no fragment: match the query with `query`"
    } else if text.contains("**") {
        "one * is enough: /* at the end matches every path below"
    } else if text.contains("//") || text.split('/').any(|part| part == "." || part == "..") {
        "requests' paths have no empty segments, no . and no .., so this would never match"
    } else {
        return Ok(());
    };
    Err(fault.into())
}

fn literal_bytes(segment: &str) -> usize {
    segment.bytes().filter(|byte| *byte != b'*').count()
}

/// What follows a folder and its slash; empty for the folder itself.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix('/')
    }
}

fn after_segments<'p>(path: &'p str, segments: &[String], open: bool) -> Option<&'p str> {
    let mut left = path.strip_prefix('/');
    for segment in segments {
        let (head, tail) = match left?.split_once('/') {
            Some((head, tail)) => (head, Some(tail)),
            None => (left?, None),
        };
        if !glob(segment.as_bytes(), head.as_bytes()) {
            return None;
        }
        left = tail;
    }
    if open {
        Some(left.unwrap_or(""))
    } else {
        left.is_none().then_some("")
    }
}

/// Whether a text matches a segment with `*` for any text. On a mismatch the
/// last `*` takes one byte more, which is enough to find every match.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut last_star = None;
    while read < text.len() {
        if pattern.get(at) == Some(&b'*') {
            last_star = Some((at, read));
            at += 1;
        } else if pattern.get(at) == Some(&text[read]) {
            at += 1;
            read += 1;
        } else if let Some((star, taken)) = last_star {
            last_star = Some((star, taken + 1));
            at = star + 1;
            read = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn rest<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
        Pattern::parse(pattern).unwrap().rest(path)
    }

    #[test]
    fn a_prefix_matches_whole_segments_and_the_folder_itself() {
        assert_eq!(rest("/api/*", "/api/users/7"), Some("users/7"));
        assert_eq!(rest("/api/*", "/api/"), Some(""));
        assert_eq!(rest("/api/*", "/api"), Some(""));
        assert_eq!(rest("/api/*", "/apis"), None);
        assert_eq!(rest("/*", "/anything"), Some("anything"));
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        assert!(rest("/users/*/orders", "/users/7/orders").is_some());
        assert!(rest("/users/*/orders", "/users/7/8/orders").is_none());
        assert!(rest("/img/*.png", "/img/a.b.png").is_some());
        assert!(rest("/img/*.png", "/img/a.jpg").is_none());
        assert_eq!(rest("/*/b/*", "/a/b/c/d"), Some("c/d"));
        assert_eq!(rest("/*/b/*", "/a/b"), Some(""));
    }

    #[test]
    fn what_can_never_match_is_refused() {
        for text in ["api", "/a?b=1", "/a//b", "/a/../b", "/a/**", "~("] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
