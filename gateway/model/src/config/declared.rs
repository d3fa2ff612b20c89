//! What files declare, or code does, before anything that was changed at run
//! time: the merged document, to be read as often as that changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::defaults::FILE_NAME;
use super::dotenv::{self, Lookup, Variables};
use super::environment::{self, Environment};
use super::error::{ConfigError, ConfigErrors};
use super::explain::Medium;
use super::found::{self, Found};
use super::key_path::KeyPath;
use super::meaning;
use super::meant::Config;
use super::overlay::{Key, Overlay};
use super::places::Places;
use super::read::Reading;
use super::substitute::PutIn;
use super::tree::Node;
use super::written;

/// What files declare, or code does.
#[derive(Clone, Debug)]
pub struct Declared {
    /// What is declared and found.
    root: Node,
    /// What is declared alone; none where nothing was found.
    alone: Option<Node>,
    found: Arc<Found>,
    /// What relative paths start from where no file says them.
    base: PathBuf,
    files: Vec<PathBuf>,
    /// Those of the file `.env`.
    variables: Variables,
    /// What no error may tell.
    put_in: Arc<[PutIn]>,
    is_from_files: bool,
}

impl Declared {
    /// Reads a configuration file with all that it includes, and the file
    /// `.env` beside it. What it means is not yet looked at.
    ///
    /// # Errors
    /// What cannot be read, parsed, replaced or merged.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let base = path.parent().unwrap_or(Path::new(""));
        let variables = dotenv::read(base)?;
        let file = &variables;
        let mut reading = Reading::new(Lookup { environment, file });
        let root = reading.file(path);
        Self::of(root, reading, base).map(|declared| Self {
            variables,
            ..declared
        })
    }

    /// [`Declared::load`] for a text that stands for `gatewright.toml` in the
    /// folder `base`.
    ///
    /// # Errors
    /// As [`Declared::load`].
    pub fn parse(text: &str, base: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let file = &Variables::new();
        let mut reading = Reading::new(Lookup { environment, file });
        let root = reading.text(text, &Arc::from(base.join(FILE_NAME)));
        Self::of(root, reading, base)
    }

    /// What code declares. Paths are relative to the working folder.
    ///
    /// # Errors
    /// Text that no document can hold.
    pub fn given(written: &written::Config) -> Result<Self, ConfigErrors> {
        let json = serde_json::to_value(written).map_err(|error| ConfigError {
            place: None,
            key: String::new(),
            message: error.to_string(),
        })?;
        Ok(Self {
            root: Node::nowhere(&json),
            alone: None,
            found: Arc::default(),
            base: PathBuf::new(),
            files: Vec::new(),
            variables: Variables::new(),
            put_in: Arc::default(),
            is_from_files: false,
        })
    }

    fn of(root: Option<Node>, reading: Reading<'_>, base: &Path) -> Result<Self, ConfigErrors> {
        let Reading {
            files,
            errors,
            put_in,
            ..
        } = reading;
        let Some(root) = root.filter(|_| errors.is_empty()) else {
            return Err(ConfigErrors::of(errors));
        };
        Ok(Self {
            root,
            alone: None,
            found: Arc::default(),
            base: base.to_owned(),
            files,
            variables: Variables::new(),
            put_in: put_in.into(),
            is_from_files: true,
        })
    }

    /// The same with other servers found for its pools.
    #[must_use]
    pub fn with_found(&self, found: Arc<Found>) -> Self {
        let alone = self.alone.as_ref().unwrap_or(&self.root);
        let mut root = alone.clone();
        found::add(&mut root, &found);
        Self {
            root,
            alone: Some(alone.clone()),
            found,
            ..self.clone()
        }
    }

    /// The servers that it was given as found.
    pub fn found(&self) -> &Arc<Found> {
        &self.found
    }

    /// Whether a pool's server is there because it was found.
    pub fn is_found(&self, pool: &str, id: &str) -> bool {
        let key = Key::server(pool, id);
        let is_in = |root: &Node| key.value_in(root).is_some();
        is_in(&self.root) && self.alone.as_ref().is_some_and(|alone| !is_in(alone))
    }

    /// What is declared at a key, as a file would say it in JSON; a server that
    /// is written as a text is the table of its host and port. None for nothing.
    pub fn value(&self, key: &Key) -> Option<serde_json::Value> {
        key.value_in(&self.root)
    }

    /// What it means, changed as an overlay says and by what the environment
    /// overrides.
    ///
    /// # Errors
    /// An override that does not fit, or else everything found wrong at the
    /// first step that found anything: keys and types, then ranges, references
    /// and files.
    pub fn mean(
        &self,
        overlay: &Overlay,
        environment: &Environment,
    ) -> Result<(Config, Places), ConfigErrors> {
        let mut root = self.root.clone();
        overlay.apply(&mut root).map_err(|left_out| ConfigError {
            place: None,
            key: left_out.key.to_string(),
            message: left_out.reason,
        })?;
        let json = root.to_json();
        let places = match self.is_from_files {
            true => Places::of_document(root, self.base.clone(), Arc::clone(&self.put_in)),
            false => Places::nowhere(self.base.clone()),
        };
        let mut written: written::Config = deserialize(json, &places)?;
        let file = &self.variables;
        environment::apply(Lookup { environment, file }, &mut written)?;
        let mut config = meaning::mean(&written, &places)?;
        config.files.clone_from(&self.files);
        Ok((config, places))
    }
}

/// What is said where a table stands for an array: often a bracket is missing.
const TABLE_FOR_ARRAY: &str = "a table does not fit here; write an array";

/// What a document says as a type that refuses keys that it does not know.
pub(super) fn deserialize<T: DeserializeOwned>(
    json: serde_json::Value,
    places: &Places,
) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = KeyPath::from(error.path());
        let message = Medium::File.explain(&error.inner().to_string());
        let message = match message == TABLE_FOR_ARRAY {
            true => format!("{message}, which in TOML begins each of its tables with [[{path}]]"),
            false => message,
        };
        places.error_at(&path, message)
    })
}
