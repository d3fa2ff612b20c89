//! What is wanted, and where that comes from.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use gatewright_model::config::{
    Config, ConfigError, ConfigErrors, Environment, Places, load_with_places,
};

use crate::gateway::Source;

/// Where the wanted configuration is read from, as often as asked.
pub(crate) struct Desired {
    origin: Origin,
}

enum Origin {
    File {
        path: PathBuf,
        environment: Arc<Environment>,
    },
    Given(Arc<Config>),
}

/// A configuration that is wanted, and where its keys stand.
pub(crate) struct Wanted {
    pub(crate) config: Arc<Config>,
    /// None for one that no file says.
    pub(crate) places: Option<Places>,
}

impl Desired {
    pub(crate) fn new(source: Source, environment: Environment) -> Self {
        let origin = match source {
            Source::Given(config) => Origin::Given(Arc::new(config)),
            Source::File(path) => Origin::File {
                path,
                environment: Arc::new(environment),
            },
        };
        Self { origin }
    }

    /// What is wanted now. Files are read on a thread that may block.
    pub(crate) async fn read(&self) -> Result<Wanted, ConfigErrors> {
        let (path, environment) = match &self.origin {
            Origin::Given(config) => {
                return Ok(Wanted {
                    config: Arc::clone(config),
                    places: None,
                });
            }
            Origin::File { path, environment } => (path.clone(), Arc::clone(environment)),
        };
        let reading = tokio::task::spawn_blocking(move || load_with_places(&path, &environment));
        let (config, places) = reading.await.map_err(|error| unread(&error.into()))??;
        Ok(Wanted {
            config: Arc::new(config),
            places: Some(places),
        })
    }
}

/// The error of a reading that did not come to its end.
fn unread(error: &io::Error) -> ConfigErrors {
    ConfigErrors::from(ConfigError {
        place: None,
        key: String::new(),
        message: format!("the configuration was not read to its end: {error}"),
    })
}
