//! Where the keys of a configuration stand.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::ConfigError;
use super::key_path::KeyPath;
use super::substitute::PutIn;
use super::tree::Node;

/// Where the keys of a configuration stand: the merged document, or none for a
/// configuration that was made in code. It gives later errors, such as a
/// plugin's about its own configuration, their file and line.
#[derive(Clone, Debug)]
pub struct Places {
    root: Option<Node>,
    base: PathBuf,
    /// What no error may tell.
    put_in: Arc<[PutIn]>,
}

impl Places {
    pub(super) fn of_document(root: Node, base: PathBuf, put_in: Arc<[PutIn]>) -> Self {
        Self {
            root: Some(root),
            base,
            put_in,
        }
    }

    /// The places of a configuration that no file says; relative paths start
    /// from `base`.
    pub(super) fn nowhere(base: PathBuf) -> Self {
        Self {
            root: None,
            base,
            put_in: Arc::default(),
        }
    }

    /// The error about a key of the document, such as `router.config`, with the
    /// path that a plugin complained of inside it, such as `routes[2].path`
    /// (empty: the whole). The place is the nearest that is written.
    pub fn error(&self, key: &str, inner: &str, message: impl Into<String>) -> ConfigError {
        let path = KeyPath::read(key).join(KeyPath::read(inner));
        self.error_at(&path, message)
    }

    pub(super) fn error_at(&self, path: &KeyPath, message: impl Into<String>) -> ConfigError {
        let place = self.root.as_ref();
        let place = place.map(|root| root.nearest(path).place.clone());
        let message = match &place {
            Some(place) => PutIn::keep_back(&self.put_in, place, message.into()),
            None => message.into(),
        };
        ConfigError {
            // What was set at run time stands in no file.
            place: place.filter(|place| !place.file.as_os_str().is_empty()),
            key: path.to_string(),
            message,
        }
    }

    /// A path that a key holds, relative to the folder of the file that holds it.
    pub(super) fn resolve(&self, key: &KeyPath, path: &str) -> PathBuf {
        let file = self.root.as_ref().map(|root| &root.nearest(key).place.file);
        let folder = file.and_then(|file| file.parent());
        folder.unwrap_or(&self.base).join(path)
    }
}
