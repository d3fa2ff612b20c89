//! The ways in: a file, a text, a configuration made in code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::declared::{self, Declared};
use super::defaults::{FILE_NAME, SYSTEM_FOLDER};
use super::document;
use super::document::ENDINGS;
use super::environment::Environment;
use super::error::{ConfigError, ConfigErrors, Place};
use super::meant::Config;
use super::overlay::Overlay;
use super::places::Places;
use super::read;
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
    Declared::load(path, environment)?.mean(&Overlay::default(), environment)
}

/// [`load`] for a text that stands for `gatewright.toml` in the folder `base`.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, base: &Path, environment: &Environment) -> Result<Config, ConfigErrors> {
    let declared = Declared::parse(text, base, environment)?;
    let (config, _) = declared.mean(&Overlay::default(), environment)?;
    Ok(config)
}

/// What a configuration made in code means. Paths are relative to the working
/// folder, and the environment overrides nothing: what code says was asked for.
///
/// # Errors
/// Everything wrong with ranges, references and files.
pub fn mean(written: &written::Config) -> Result<Config, ConfigErrors> {
    let declared = Declared::given(written)?;
    let (config, _) = declared.mean(&Overlay::default(), &Environment::empty())?;
    Ok(config)
}

/// Reads a file that is no gateway's configuration and is written as one: what is
/// wrong with it is told in the same way, with its line and its key.
///
/// # Errors
/// A file that cannot be read or parsed, and the first key or type that does not
/// fit.
pub fn read_as<T: DeserializeOwned>(path: &Path) -> Result<(T, Places), ConfigErrors> {
    let text = read::read_limited(path).map_err(|message| ConfigError {
        place: Some(Place {
            file: Arc::from(path),
            line: None,
        }),
        key: String::new(),
        message,
    })?;
    parse_as(&text, path)
}

/// [`read_as`] for a text that stands for a file.
///
/// # Errors
/// As [`read_as`].
pub fn parse_as<T: DeserializeOwned>(text: &str, path: &Path) -> Result<(T, Places), ConfigErrors> {
    let root = document::read(text, &Arc::from(path))?;
    let json = root.to_json();
    let base = path.parent().unwrap_or(Path::new(""));
    let places = Places::of_document(root, base.to_owned(), Arc::default());
    let read = declared::deserialize(json, &places)?;
    Ok((read, places))
}

/// The configuration file to use when none is named: `gatewright.toml`, or else
/// `.yaml`, `.yml` or `.json`, in the working folder, then in `/etc/gatewright`.
pub fn find() -> Option<PathBuf> {
    let folders = [Path::new(""), Path::new(SYSTEM_FOLDER)];
    let mut files = folders.iter().flat_map(|folder| {
        let file = folder.join(FILE_NAME);
        ENDINGS.map(|ending| file.with_extension(ending))
    });
    files.find(|file| file.is_file())
}
