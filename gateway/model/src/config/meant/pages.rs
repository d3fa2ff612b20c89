//! Pages that stand in for the gateway's own errors.

use std::path::PathBuf;
use std::sync::Arc;

/// Pages by the status that they are shown with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorPages {
    /// For one status each.
    pub exact: Vec<(u16, Page)>,
    /// For the statuses of a hundred each: 4 or 5.
    pub classes: Vec<(u16, Page)>,
}

impl ErrorPages {
    /// The page for a status: its own, or else its hundred's.
    #[must_use]
    pub fn of(&self, status: u16) -> Option<&Page> {
        let find =
            |pages: &'_ [(u16, Page)], key| pages.iter().position(|(known, _)| *known == key);
        let exact = find(&self.exact, status).map(|index| &self.exact[index].1);
        exact.or_else(|| find(&self.classes, status / 100).map(|index| &self.classes[index].1))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Page> {
        self.exact.iter().chain(&self.classes).map(|(_, page)| page)
    }
}

/// A page as it was when the configuration was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it is.
    pub path: PathBuf,
    /// What its file's name says it is, as a media type.
    pub kind: &'static str,
    /// What it held.
    pub contents: Arc<[u8]>,
}
