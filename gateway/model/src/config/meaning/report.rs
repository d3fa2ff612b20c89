//! What was found wrong while a configuration is turned into what it means.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::error::{ConfigError, did_you_mean};
use crate::config::key_path::KeyPath;
use crate::config::meant::PemFile;
use crate::config::places::Places;
use crate::config::quantity::Period;
use crate::id::{MAX_NAME, is_name};

/// The largest file that becomes part of the configuration: all the authorities
/// that a system trusts come to a quarter of it.
const LARGEST_FILE: u64 = 1024 * 1024;

/// Collects errors and gives them their places.
pub(super) struct Report<'a> {
    places: &'a Places,
    errors: Vec<ConfigError>,
}

impl<'a> Report<'a> {
    pub(super) fn new(places: &'a Places) -> Self {
        Self {
            places,
            errors: Vec::new(),
        }
    }

    /// Everything that was found, in the order of the lines.
    pub(super) fn into_errors(mut self) -> Vec<ConfigError> {
        self.errors.sort_by(|a, b| {
            let place = |error: &ConfigError| error.place.clone().map(|p| (p.file, p.line));
            place(a).cmp(&place(b))
        });
        self.errors
    }

    /// Notes an error.
    pub(super) fn fail(&mut self, path: &KeyPath, message: impl Into<String>) {
        self.errors.push(self.places.error_at(path, message));
    }

    /// The value, or a noted error.
    pub(super) fn value<T>(&mut self, path: &KeyPath, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.fail(path, message)).ok()
    }

    /// The value; an error is noted when it is out of range.
    pub(super) fn within<T>(&mut self, path: &KeyPath, value: T, range: &RangeInclusive<T>) -> T
    where
        T: Copy + Display + PartialOrd,
    {
        if !range.contains(&value) {
            let (from, to) = (range.start(), range.end());
            self.fail(
                path,
                format!("{value} is out of range; write {from} to {to}"),
            );
        }
        value
    }

    /// The limit; zero is the absence of one, not a short one.
    pub(super) fn limit(
        &mut self,
        path: &KeyPath,
        limit: Period,
        range: &RangeInclusive<Period>,
    ) -> Duration {
        if !limit.0.is_zero() {
            self.within(path, limit, range);
        }
        limit.0
    }

    /// Notes an error when a name would not do in metrics and addresses.
    pub(super) fn name(&mut self, path: &KeyPath, name: &str) {
        if !is_name(name) {
            let message = format!(
                "{name:?} is no name; write at most {MAX_NAME} letters, digits, \"-\", \"_\" \
                 and \".\", beginning with a letter or digit"
            );
            self.fail(path, message);
        }
    }

    /// Notes an error about a name that refers to nothing.
    pub(super) fn unknown<'n>(
        &mut self,
        path: &KeyPath,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) {
        let hint = did_you_mean(name, known);
        self.fail(path, format!("no {what} is named {name:?}; {hint}"));
    }

    /// The path that a key holds, relative to the file that holds it.
    pub(super) fn resolve(&mut self, key: &KeyPath, path: &str) -> PathBuf {
        if path.is_empty() {
            self.fail(key, "the path is empty; write one");
        }
        self.places.resolve(key, path)
    }

    /// What is in a file in PEM.
    pub(super) fn pem(&mut self, key: &KeyPath, path: &str) -> PemFile {
        let (path, contents) = self.contents(key, path);
        PemFile { path, contents }
    }

    /// What the gateway has kept in a file in PEM; nothing where there is none,
    /// or none that could be read: it will be written anew.
    pub(super) fn kept(path: PathBuf) -> PemFile {
        let is_file = fs::metadata(&path).is_ok_and(|about| about.is_file());
        let mut contents = Vec::new();
        if let Some(file) = is_file.then(|| File::open(&path).ok()).flatten()
            && file.take(LARGEST_FILE).read_to_end(&mut contents).is_err()
        {
            contents.clear();
        }
        let contents = contents.into();
        PemFile { path, contents }
    }

    /// What is in a file that becomes part of the configuration.
    pub(super) fn contents(&mut self, key: &KeyPath, path: &str) -> (PathBuf, Arc<[u8]>) {
        let path = self.file(key, path);
        let mut contents = Vec::new();
        // Where it cannot be opened, that has been noted.
        if let Ok(file) = File::open(&path) {
            let read = file.take(LARGEST_FILE + 1).read_to_end(&mut contents);
            match read {
                Ok(read) if read as u64 <= LARGEST_FILE => {}
                Ok(_) => self.fail(key, "the file is larger than 1 MiB; write a smaller one"),
                Err(error) => self.fail(key, format!("{}: {error}", path.display())),
            }
        }
        (path, contents.into())
    }

    /// The path of a file that has to be readable.
    pub(super) fn file(&mut self, key: &KeyPath, path: &str) -> PathBuf {
        let file = self.resolve(key, path);
        // Asked before it is opened: opening a pipe would wait for its writer.
        let message = match fs::metadata(&file) {
            Ok(about) if !about.is_file() => "it is no file".to_owned(),
            Ok(_) => match File::open(&file) {
                Ok(_) => return file,
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let shown = file.display();
        self.fail(
            key,
            format!("{shown} cannot be read: {message}; correct the path or its permissions"),
        );
        file
    }
}
