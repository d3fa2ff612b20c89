//! Paths as they are written in configurations, and which of two is the more
//! specific.

use std::cmp::Reverse;

/// A path of a configuration, understood.
#[derive(Clone, Debug)]
pub enum Glob {
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
}

/// How specific a pattern is: the smallest comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Specificity {
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

impl Specificity {
    /// That of a regular expression, of which nothing is known: after all
    /// patterns but `/*`.
    pub fn of_an_expression() -> Self {
        Self::new(Class::Regex, 0, 0)
    }

    fn new(class: Class, lead: usize, literal: usize) -> Self {
        Self {
            class,
            lead: Reverse(lead),
            literal: Reverse(literal),
        }
    }
}

impl Glob {
    /// Understand a path as it is written.
    ///
    /// # Errors
    ///
    /// What is wrong with it and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
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

    /// The pattern for paths that `of` has changed as it changes this one's text.
    pub(crate) fn mapped(&self, of: impl Fn(&str) -> String) -> Self {
        let changed = |text: &str| match of(text) {
            root if root == "/" => String::new(),
            text => text,
        };
        match self {
            Self::Exact(text) => Self::Exact(of(text)),
            Self::Prefix(folder) => Self::Prefix(changed(folder)),
            Self::Wildcard { segments, open, .. } => {
                let text = changed(&["", &segments.join("/")].join("/"));
                Self::Wildcard {
                    lead: text.split('*').next().unwrap_or_default().into(),
                    segments: text.split('/').skip(1).map(Into::into).collect(),
                    open: *open,
                }
            }
        }
    }

    /// Whether a normalised path matches.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => text == path,
            // `/*`, which most configurations end with.
            Self::Prefix(folder) if folder.is_empty() => path.is_empty() || path.starts_with('/'),
            Self::Prefix(_) | Self::Wildcard { .. } => self.rest(path).is_some(),
        }
    }

    /// What the last `*` of an open pattern stands for in a path that matches;
    /// empty for a pattern that is not open.
    pub fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self {
            Self::Prefix(folder) => below(path, folder),
            Self::Wildcard { segments, open, .. } => after_segments(path, segments, *open),
            Self::Exact(_) => Some(""),
        }
    }

    /// Whether it ends in `/*`.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Prefix(_) => true,
            Self::Wildcard { open, .. } => *open,
            Self::Exact(_) => false,
        }
    }

    /// The folder that a path must lie in, or be, to match a pattern with `*`.
    pub fn folder(&self) -> &str {
        match self {
            Self::Prefix(folder) => folder,
            Self::Wildcard { lead, .. } => lead.rsplit_once('/').map_or("", |(folder, _)| folder),
            Self::Exact(_) => "",
        }
    }

    /// How specific it is.
    pub fn specificity(&self) -> Specificity {
        match self {
            Self::Exact(text) => Specificity::new(Class::Exact, text.len(), text.len()),
            Self::Prefix(folder) if folder.is_empty() => Specificity::new(Class::Everything, 0, 0),
            Self::Prefix(folder) => {
                Specificity::new(Class::Glob, folder.len() + 1, folder.len() + 1)
            }
            Self::Wildcard {
                segments,
                open,
                lead,
            } => {
                let literal = |segment: &String| 1 + literal_bytes(segment);
                let text: usize = segments.iter().map(literal).sum();
                Specificity::new(Class::Glob, lead.len(), text + usize::from(*open))
            }
        }
    }
}

fn check(text: &str) -> Result<(), String> {
    let fault = if !text.starts_with('/') {
        "a path begins with /"
    } else if text.contains(['?', '#']) {
        "a path has no query and no fragment"
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
    use super::Glob;

    fn rest<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
        Glob::parse(pattern).unwrap().rest(path)
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
    fn what_can_never_match_is_refused_with_its_place() {
        for text in ["api", "/a?b=1", "/a//b", "/a/../b", "/a/**"] {
            assert!(Glob::parse(text).is_err(), "{text}");
        }
    }
}
