//! The ways in: a file, a text, a configuration made in code.

use std::path::{Path, PathBuf};

use super::declared::Declared;
use super::defaults::{FILE_NAME, SYSTEM_FOLDER};
use super::document::ENDINGS;
use super::environment::Environment;
use super::error::ConfigErrors;
use super::meant::Config;
use super::overlay::Overlay;
use super::places::Places;
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
