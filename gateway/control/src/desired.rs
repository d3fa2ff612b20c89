//! What is wanted: what files declare, or code does, and what was changed at
//! run time over that.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use gatewright_model::config::{
    Config, ConfigError, ConfigErrors, Declared, Environment, Fitted, Key, LeftOut, Overlay, Places,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::change::Edit;
use crate::discovery::Discovery;
use crate::gateway::Source;

/// Where the wanted configuration is read from, as often as asked.
#[derive(Clone)]
pub(crate) struct Origin {
    source: Arc<Source>,
    environment: Arc<Environment>,
    /// Whether what was changed at run time is other gateways' too, whose files may
    /// say otherwise: then only what is edited in this gateway's files while it runs
    /// makes an override give way.
    pub(crate) is_shared: bool,
}

/// What is wanted and in force.
pub(crate) struct Desired {
    pub(crate) origin: Origin,
    pub(crate) declared: Arc<Declared>,
    /// Everything that was changed at run time.
    pub(crate) overlay: Overlay,
    /// What of it is not in force.
    pub(crate) left_out: Vec<LeftOut>,
}

/// What is wanted and not yet in force.
pub(crate) struct Draft {
    declared: Arc<Declared>,
    pub(crate) overlay: Overlay,
    pub(crate) left_out: Vec<LeftOut>,
    /// Overrides that gave way to the files and are in the overlay no more.
    pub(crate) yielded: Vec<Key>,
    pub(crate) wanted: Wanted,
}

/// A configuration that is wanted, and where its keys stand.
pub(crate) struct Wanted {
    pub(crate) config: Arc<Config>,
    /// None for one that no file says.
    pub(crate) places: Option<Places>,
}

impl Origin {
    pub(crate) fn new(source: Source, environment: Environment) -> Self {
        Self {
            source: Arc::new(source),
            environment: Arc::new(environment),
            is_shared: false,
        }
    }

    /// The file that it is read from; none for what code declares.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        match &*self.source {
            Source::File(path) => Some(path),
            Source::Given(_) => None,
        }
    }

    /// What is declared now, read on a thread that may block.
    pub(crate) async fn declare(&self) -> Result<Arc<Declared>, ConfigErrors> {
        let origin = self.clone();
        let read = move || match &*origin.source {
            Source::File(path) => Declared::load(path, &origin.environment),
            Source::Given(written) => Declared::given(written),
        };
        blocking(read).await.map(Arc::new)
    }

    /// What is declared without anything that was changed at run time.
    pub(crate) async fn plain(&self, declared: &Arc<Declared>) -> Result<Config, ConfigErrors> {
        let (origin, declared) = (self.clone(), Arc::clone(declared));
        let mean = move || declared.mean(&Overlay::default(), &origin.environment);
        let (config, _) = blocking(mean).await?;
        Ok(config)
    }

    /// What is declared, with as much of an overlay as still fits.
    pub(crate) async fn draft(
        &self,
        declared: Arc<Declared>,
        mut overlay: Overlay,
    ) -> Result<Draft, ConfigErrors> {
        let origin = self.clone();
        blocking(move || {
            let yielded = match origin.is_shared {
                true => Vec::new(),
                false => overlay.settle(&declared),
            };
            let fitted = declared.fit(&overlay, &origin.environment)?;
            Ok(origin.drafted(declared, overlay, yielded, fitted))
        })
        .await
    }

    /// [`Self::draft`], with the servers that DNS finds for what is declared.
    /// Names that were not looked up before are looked up first.
    pub(crate) async fn found(
        &self,
        declared: Arc<Declared>,
        overlay: Overlay,
        discovery: &Arc<Discovery>,
    ) -> Result<Draft, ConfigErrors> {
        let draft = self.draft(declared, overlay).await?;
        discovery.look_up_new(&draft.wanted.config).await;
        self.with_found(draft, discovery).await
    }

    /// A draft with what is found by now for the names that it has.
    async fn with_found(&self, draft: Draft, discovery: &Discovery) -> Result<Draft, ConfigErrors> {
        let found = discovery.found(&draft.wanted.config);
        if found == *draft.declared.found() {
            return Ok(draft);
        }
        let declared = Arc::new(draft.declared.with_found(found));
        let again = self.draft(declared, draft.overlay).await?;
        // What has yielded to the file has done so at the first.
        Ok(Draft {
            yielded: draft.yielded,
            ..again
        })
    }

    /// A draft without the overrides of a plugin's place, such as
    /// `pools.web.balancer`, which cannot be had; none when there are none.
    pub(crate) async fn without(
        &self,
        draft: &Draft,
        place: &Key,
        reason: &str,
    ) -> Result<Option<Draft>, ConfigErrors> {
        let mut left_out = draft.left_out.clone();
        let active = draft.active();
        for (key, _) in active.iter().filter(|(key, _)| key.touches(place)) {
            let (key, reason) = (key.clone(), reason.to_owned());
            left_out.push(LeftOut { key, reason });
        }
        if left_out.len() == draft.left_out.len() {
            return Ok(None);
        }
        let (origin, declared) = (self.clone(), Arc::clone(&draft.declared));
        let (overlay, yielded) = (draft.overlay.clone(), draft.yielded.clone());
        let drafted = blocking(move || {
            let rest = overlay.without(left_out.iter().map(|left| &left.key));
            let mut fitted = declared.fit(&rest, &origin.environment)?;
            fitted.left_out.append(&mut left_out);
            Ok(origin.drafted(declared, overlay, yielded, fitted))
        });
        drafted.await.map(Some)
    }

    fn drafted(
        &self,
        declared: Arc<Declared>,
        overlay: Overlay,
        yielded: Vec<Key>,
        fitted: Fitted,
    ) -> Draft {
        Draft {
            declared,
            overlay,
            left_out: fitted.left_out,
            yielded,
            wanted: Wanted {
                config: Arc::new(fitted.config),
                places: self.file().is_some().then_some(fitted.places),
            },
        }
    }
}

/// Who declared an object of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeclaredBy {
    /// The configuration file, or the code that stands for it.
    File,
    /// The API.
    Api,
    /// Nobody: a server that DNS found.
    Dns,
}

impl Desired {
    /// What a draft comes to be once it is in force.
    pub(crate) fn of(origin: Origin, draft: Draft) -> Self {
        Self {
            origin,
            declared: draft.declared,
            overlay: draft.overlay,
            left_out: draft.left_out,
        }
    }

    /// Who declared an object.
    pub(crate) fn declared_by(&self, key: &Key) -> DeclaredBy {
        match self.overlay.adds(key) {
            true => DeclaredBy::Api,
            false => DeclaredBy::File,
        }
    }

    /// Who declared a server.
    pub(crate) fn server_declared_by(&self, pool: &str, id: &str) -> DeclaredBy {
        match self.declared.is_found(pool, id) {
            true => DeclaredBy::Dns,
            false => self.declared_by(&Key::server(pool, id)),
        }
    }

    /// Read again what is declared, with what is found for it.
    pub(crate) async fn reread(&self, discovery: &Arc<Discovery>) -> Result<Draft, ConfigErrors> {
        let declared = self.origin.declare().await?;
        let mut overlay = self.overlay.clone();
        let yielded = match self.origin.is_shared {
            true => overlay.settle_edited(&self.declared, &declared),
            false => Vec::new(),
        };
        let mut draft = self.origin.found(declared, overlay, discovery).await?;
        draft.yielded.extend(yielded);
        Ok(draft)
    }

    /// What is declared, as it was last read, with what is found for it by now.
    pub(crate) async fn found(&self, discovery: &Discovery) -> Result<Draft, ConfigErrors> {
        let (declared, overlay) = (Arc::clone(&self.declared), self.overlay.clone());
        let draft = self.origin.draft(declared, overlay).await?;
        self.origin.with_found(draft, discovery).await
    }

    /// What is declared, as it was last read, with the overlay that some edits
    /// made, all of which must fit but for what is left out already and is not
    /// among what was edited.
    pub(crate) async fn with(
        &self,
        overlay: Overlay,
        edits: &[Edit],
    ) -> Result<Draft, ConfigErrors> {
        let is_edited = |left: &LeftOut| edits.iter().any(|edit| edit.key().touches(&left.key));
        let left_out = self.left_out.iter().filter(|left| !is_edited(left));
        let left_out: Vec<_> = left_out.cloned().collect();
        let (origin, declared) = (self.origin.clone(), Arc::clone(&self.declared));
        blocking(move || {
            let rest = overlay.without(left_out.iter().map(|left| &left.key));
            let meant = declared.mean(&rest, &origin.environment);
            let (config, places) = meant.map_err(ConfigErrors::without_places)?;
            let fitted = Fitted {
                config,
                places,
                left_out,
            };
            Ok(origin.drafted(declared, overlay, Vec::new(), fitted))
        })
        .await
    }
}

impl Draft {
    /// The overrides that are to be in force.
    fn active(&self) -> Overlay {
        self.overlay
            .without(self.left_out.iter().map(|left| &left.key))
    }
}

/// Do what reads files on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ConfigErrors> + Send + 'static,
) -> Result<T, ConfigErrors> {
    let working = tokio::task::spawn_blocking(work);
    working.await.map_err(|error| unread(&error.into()))?
}

/// The error of a reading that did not come to its end.
fn unread(error: &io::Error) -> ConfigErrors {
    ConfigErrors::from(ConfigError {
        place: None,
        key: String::new(),
        message: format!("the configuration was not read to its end: {error}"),
    })
}
