//! The file `.env` beside the configuration: variables for where the
//! environment has none.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::environment::Environment;
use super::error::{ConfigError, Place};
use super::read::read_limited;

/// Its name.
const FILE_NAME: &str = ".env";

/// The variables of a file.
pub(super) type Variables = BTreeMap<String, String>;

/// Where a configuration's variables are looked up: in the environment, then
/// in the file.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub(super) environment: &'a Environment,
    pub(super) file: &'a Variables,
}

impl Lookup<'_> {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let file = || self.file.get(name).cloned();
        self.environment.get(name).or_else(file)
    }
}

/// Whether a file is one, by its name.
pub(super) fn is_one(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == FILE_NAME)
}

/// The variables of a folder's file; none when there is no file.
///
/// # Errors
/// A file that cannot be read, or a line that says nothing.
pub(super) fn read(folder: &Path) -> Result<Variables, ConfigError> {
    let file = folder.join(FILE_NAME);
    if std::fs::metadata(&file).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(Variables::new());
    }
    let wrong = |line, message| ConfigError {
        place: Some(Place {
            file: Arc::from(file.as_path()),
            line,
        }),
        key: String::new(),
        message,
    };
    let text = read_limited(&file).map_err(|message| wrong(None, message))?;
    let mut variables = Variables::new();
    for variable in dotenvy::from_read_iter(text.as_bytes()) {
        let (name, value) = variable.map_err(|error| {
            // The line itself may hold a secret and is not shown.
            let message = "the line is no NAME=VALUE; put a value with spaces in quotes";
            wrong(line_of(&error, &text), message.to_owned())
        })?;
        // As when a shell reads the file, the last one counts.
        variables.insert(name, value);
    }
    Ok(variables)
}

/// The number of the line that an error is about.
fn line_of(error: &dotenvy::Error, text: &str) -> Option<usize> {
    let dotenvy::Error::LineParse(line, _) = error else {
        return None;
    };
    let first = line.lines().next()?;
    let at = text.lines().position(|line| line.trim() == first.trim())?;
    Some(at + 1)
}
