//! The folders that the system is asked about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_model::config::Config;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::sight::{folder, named};

/// The folders that the system is asked about.
pub(super) struct Folders {
    /// None where the system cannot tell; files are looked at now and then.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    /// No folder yet. `hint` is woken whenever something changes in one.
    pub(super) fn new(hint: &Arc<Notify>) -> Self {
        let hint = Arc::clone(hint);
        let watcher = notify::recommended_watcher(move |event| {
            if is_change(&event) {
                hint.notify_one();
            }
        });
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(%error, "the system does not tell of changed files; they are looked at now and then");
        });
        Self {
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
        }
    }

    /// Ask about the folders of exactly these files, by the names that the
    /// configuration has for them and by those that links lead to.
    pub(super) fn follow(&mut self, config: &Config) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let wanted = folders(config);
        for left in self.watched.difference(&wanted) {
            // A folder that is gone is no longer asked about anyway.
            let _ = watcher.unwatch(left);
        }
        for new in wanted.difference(&self.watched) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                let folder = new.display();
                tracing::warn!(%folder, %error, "changes there are noticed late");
            }
        }
        self.watched = wanted;
    }
}

fn folders(config: &Config) -> BTreeSet<PathBuf> {
    let add = |file: PathBuf| {
        let led_to = file.canonicalize().ok();
        let led_to = led_to.as_deref().map(|file| folder(file).to_owned());
        [Some(real(folder(&file))), led_to]
    };
    named(config).into_iter().flat_map(add).flatten().collect()
}

/// A folder's own name, so that it is asked about once.
fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

/// Whether an event may mean other content. Looking at files causes events too.
fn is_change(event: &notify::Result<notify::Event>) -> bool {
    match event {
        Ok(event) => match event.kind {
            EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
            _ => true,
        },
        // Events were lost, perhaps.
        Err(_) => true,
    }
}
