//! Several paths, any of which will do: to choose by, to protect, or to let past
//! a protection.

use gatewright_plugin_sdk::{ConfigError, refuse};

use crate::glob::Glob;
use crate::spellings::{self, Spellings};

/// Several paths, any of which will do.
#[derive(Clone, Debug, Default)]
pub struct Globs(Vec<Spelled>);

/// A path of a configuration, also as what requests' paths may be taken for.
#[derive(Clone, Debug)]
struct Spelled {
    plain: Glob,
    /// In one case.
    whole: Glob,
    /// In one case and without parameters.
    bare: Glob,
}

impl Globs {
    /// Understand the paths that are written at `key`.
    ///
    /// # Errors
    ///
    /// The key of the first that is none.
    pub fn parse(written: &[String], key: &str) -> Result<Self, ConfigError> {
        let parsed = written.iter().enumerate().map(|(number, text)| {
            let plain =
                Glob::parse(text).map_err(|reason| refuse(format!("{key}[{number}]"), reason))?;
            Ok(Spelled {
                whole: plain.mapped(|text| spellings::folded(&spellings::decoded(text))),
                bare: plain.mapped(|text| spellings::bare(&spellings::decoded(text))),
                plain,
            })
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Whether none was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a normalised path matches one of them as it stands: for choices
    /// that protect nothing.
    pub fn match_path(&self, path: &str) -> bool {
        self.0.iter().any(|glob| glob.plain.matches(path))
    }

    /// Whether they protect a path: whether one of them matches anything that a
    /// server may take it for.
    pub fn cover(&self, path: &Spellings<'_>) -> bool {
        let mut readings = path.readings();
        (path.is_disguised() && !self.is_empty())
            || self.match_path(path.plain())
            || readings.any(|(whole, bare)| self.match_whole(whole) || self.match_bare(bare))
    }

    /// Whether they let a path past a protection: whether they match it as it
    /// stands, and everything that a server may take it for.
    pub fn admit(&self, path: &Spellings<'_>) -> bool {
        let mut readings = path.readings();
        !path.is_disguised()
            && self.match_path(path.plain())
            && readings.all(|(whole, bare)| self.match_whole(whole) && self.match_bare(bare))
    }

    fn match_whole(&self, path: &str) -> bool {
        self.0.iter().any(|glob| glob.whole.matches(path))
    }

    fn match_bare(&self, path: &str) -> bool {
        self.0.iter().any(|glob| glob.bare.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::Globs;

    #[test]
    fn of_several_paths_one_is_enough() {
        let written = ["/a".to_owned(), "/b/*".to_owned()];
        let globs = Globs::parse(&written, "paths").unwrap();
        assert!(globs.match_path("/a") && globs.match_path("/b/c"));
        assert!(!globs.match_path("/c") && !globs.match_path("/a/b"));
    }

    #[test]
    fn what_can_never_match_is_refused_with_its_place() {
        let written = ["/a".to_owned(), "b".to_owned()];
        assert_eq!(Globs::parse(&written, "paths").unwrap_err().key, "paths[1]");
    }
}
