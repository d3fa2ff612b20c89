//! The ways in: a file, a text, a configuration made in code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::defaults::{FILE_NAME, SYSTEM_FOLDER};
use super::environment::Environment;
use super::error::{ConfigError, ConfigErrors};
use super::explain::explain;
use super::key_path::KeyPath;
use super::meaning;
use super::meant::Config;
use super::places::Places;
use super::read::Reading;
use super::tree::Node;
use super::written;

/// Reads a configuration file with all that it includes, checks it whole, and
/// says what it means. Files that it names are opened, nothing is changed.
///
/// # Errors
/// Everything found wrong at the first step that found anything: reading, then
/// keys and types, then ranges, references and files.
pub fn load(path: &Path, environment: &Environment) -> Result<Config, ConfigErrors> {
    load_with_places(path, environment).map(|(config, _)| config)
}

/// [`load`], with the places of the keys for later errors.
///
/// # Errors
/// As [`load`].
pub fn load_with_places(
    path: &Path,
    environment: &Environment,
) -> Result<(Config, Places), ConfigErrors> {
    let mut reading = Reading::new(environment);
    let root = reading.file(path);
    let base = path.parent().unwrap_or(Path::new(""));
    finish(root, reading, base, environment)
}

/// [`load`] for a text that stands for `gatewright.toml` in the folder `base`.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, base: &Path, environment: &Environment) -> Result<Config, ConfigErrors> {
    let mut reading = Reading::new(environment);
    let root = reading.text(text, &Arc::from(base.join(FILE_NAME)));
    finish(root, reading, base, environment).map(|(config, _)| config)
}

/// What a configuration made in code means. Paths are relative to the working
/// folder, and the environment overrides nothing: what code says was asked for.
///
/// # Errors
/// Everything wrong with ranges, references and files.
pub fn mean(written: &written::Config) -> Result<Config, ConfigErrors> {
    let places = Places::nowhere(PathBuf::new());
    meaning::mean(written, &places)
}

/// The configuration file to use when none is named: `gatewright.toml` in the
/// working folder, then in `/etc/gatewright`.
pub fn find() -> Option<PathBuf> {
    let folders = [Path::new(""), Path::new(SYSTEM_FOLDER)];
    let mut files = folders.iter().map(|folder| folder.join(FILE_NAME));
    files.find(|file| file.is_file())
}

fn finish(
    root: Option<Node>,
    reading: Reading<'_>,
    base: &Path,
    environment: &Environment,
) -> Result<(Config, Places), ConfigErrors> {
    let Reading { files, errors, .. } = reading;
    let Some(root) = root.filter(|_| errors.is_empty()) else {
        return Err(ConfigErrors::of(errors));
    };
    let json = root.to_json();
    let places = Places::of_document(root, base.to_owned());
    let mut written = deserialize(json, &places)?;
    environment.apply_to(&mut written)?;
    let mut config = meaning::mean(&written, &places)?;
    config.files = files;
    Ok((config, places))
}

fn deserialize(json: serde_json::Value, places: &Places) -> Result<written::Config, ConfigError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = KeyPath::from(error.path());
        let message = explain(&error.inner().to_string());
        places.error_at(&path, message)
    })
}
