//! How it stands with each certificate that is ordered, for who asks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use gatewright_model::config::Config;

use super::folder::Attempted;
use crate::timestamp::Timestamp;

/// How it stands with one certificate.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// When it is ordered next.
    pub(crate) next: Timestamp,
    /// How many attempts have failed since the last that did not.
    pub(crate) failures: u32,
    /// What became of the last attempt, if that is no certificate.
    pub(crate) reason: Option<String>,
}

impl Standing {
    pub(super) fn of(next: SystemTime, attempted: Option<&Attempted>) -> Self {
        Self {
            next: next.into(),
            failures: attempted.map_or(0, |attempted| attempted.failures),
            reason: attempted.and_then(|attempted| attempted.reason.clone()),
        }
    }
}

/// How it stands with all of them, by the files that they are kept in.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    all: Mutex<BTreeMap<PathBuf, Standing>>,
    issued: AtomicU64,
    failed: AtomicU64,
}

impl Standings {
    /// How it stands with the certificate in a file; none before it was looked
    /// at.
    pub(crate) fn get(&self, kept: &Path) -> Option<Standing> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(kept).cloned()
    }

    /// How many orders came to a certificate since the start, and how many did
    /// not.
    pub(crate) fn orders(&self) -> [u64; 2] {
        [&self.issued, &self.failed].map(|count| count.load(Ordering::Relaxed))
    }

    pub(super) fn put(&self, kept: &Path, standing: Standing) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(kept.to_owned(), standing);
    }

    /// Forget those that no listener asks for any more.
    pub(super) fn keep_only(&self, config: &Config) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|kept, _| config.ordered().any(|ordered| ordered.kept.path == *kept));
    }

    pub(super) fn count_issued(&self) {
        self.issued.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}
