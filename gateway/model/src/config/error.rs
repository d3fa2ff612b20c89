//! What is wrong with a configuration, where, and what to write instead.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A file and, where one is to blame, a line in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file.display()),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

/// One thing that is wrong. It displays as
/// `gatewright.toml:12: pools.web.health.interval: "5" has no unit; write "5s"`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", Prefix(self))]
pub struct ConfigError {
    /// Where it stands; none for what no file says, such as a variable of the
    /// environment or a flag of the command line.
    pub place: Option<Place>,
    /// The key path, such as `pools.web.servers[0].port`; empty for the whole
    /// file. The variable's name for an override of the environment.
    pub key: String,
    /// The reason and the remedy, in one sentence.
    pub message: String,
}

struct Prefix<'a>(&'a ConfigError);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.0.place {
            write!(f, "{place}: ")?;
        }
        match self.0.key.as_str() {
            "" => Ok(()),
            key => write!(f, "{key}: "),
        }
    }
}

/// All that was found wrong, one to a line; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Everything that was found, in the order of finding.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }

    /// Without files and lines: who asks for a change at run time has written
    /// neither.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        for error in &mut self.0 {
            error.place = None;
        }
        self
    }

    /// Each of them told anew; what comes to the same is told once.
    #[must_use]
    pub fn retold(self, tell: impl Fn(ConfigError) -> ConfigError) -> Self {
        let mut told = Vec::new();
        for error in self.0.into_iter().map(tell) {
            if !told.contains(&error) {
                told.push(error);
            }
        }
        Self(told)
    }

    /// At least one.
    pub(super) fn of(errors: Vec<ConfigError>) -> Self {
        Self(errors)
    }

    /// Fails with what was found, if anything was.
    pub(super) fn unless_empty(errors: Vec<ConfigError>) -> Result<(), Self> {
        match errors.is_empty() {
            true => Ok(()),
            false => Err(Self(errors)),
        }
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The end of a message about a name that is not there: the nearest of those
/// that are, if one is near, and all of them.
#[must_use]
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known
        .iter()
        .map(|other| (strsim::normalized_damerau_levenshtein(name, other), other))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let list = known.join(", ");
    match nearest {
        Some((_, nearest)) => format!("did you mean {nearest:?}? (there are: {list})"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("write one of: {list}"),
    }
}
