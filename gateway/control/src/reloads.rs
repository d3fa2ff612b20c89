//! What came of reading the files the last time. Who edits a file and is refused
//! goes on with what was in force before, and has to be told so until it is mended.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ReloadError;
use crate::publisher::Reloaded;
use crate::timestamp::Timestamp;

/// The last time that the files were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastReload {
    /// When.
    pub at: Timestamp,
    /// `applied` or `unchanged`; or else what was in force before still is: `refused`
    /// where the files are wrong, `needsRestart` where a running gateway cannot take
    /// them over, `notKept` where the data folder or the cluster does not take them.
    #[schema(example = "applied")]
    pub outcome: &'static str,
    /// Why they are not in force; with file, line and key, if one is to blame.
    pub error: Option<String>,
    /// The last time that they were taken.
    pub succeeded_at: Timestamp,
}

/// What is known of it.
#[derive(Debug)]
pub(crate) struct Reloads(Mutex<LastReload>);

impl Default for Reloads {
    /// The start has read the files.
    fn default() -> Self {
        let now = Timestamp::now();
        Self(Mutex::new(LastReload {
            at: now,
            outcome: "applied",
            error: None,
            succeeded_at: now,
        }))
    }
}

impl Reloads {
    pub(crate) fn last(&self) -> LastReload {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// Note what came of a reading just now.
    pub(crate) fn note(&self, outcome: &Result<Reloaded, ReloadError>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.at = Timestamp::now();
        held.outcome = match outcome {
            Ok(Reloaded::Published { .. }) => "applied",
            Ok(Reloaded::Unchanged { .. }) => "unchanged",
            Err(ReloadError::Config(_)) => "refused",
            Err(ReloadError::NeedsRestart(_)) => "needsRestart",
            Err(ReloadError::Store(_) | ReloadError::Cluster(_) | ReloadError::Stopping) => {
                "notKept"
            }
        };
        held.error = outcome.as_ref().err().map(ToString::to_string);
        if outcome.is_ok() {
            held.succeeded_at = held.at;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gatewright_model::config::{self, Environment};
    use gatewright_model::id::Generation;

    use super::*;
    use crate::cluster::ClusterError;

    #[test]
    fn a_refusal_is_told_until_the_files_are_mended() {
        let reloads = Reloads::default();
        let started = reloads.last();
        assert_eq!((started.outcome, started.error), ("applied", None));
        let wrong = config::parse("a = 1", Path::new("."), &Environment::empty());
        let wrong = wrong.unwrap_err();
        for (error, outcome) in [
            (ReloadError::Config(wrong.clone()), "refused"),
            (ReloadError::NeedsRestart(wrong), "needsRestart"),
            (ReloadError::Cluster(ClusterError::Moved), "notKept"),
            (ReloadError::Stopping, "notKept"),
        ] {
            let told = error.to_string();
            reloads.note(&Err(error));
            let refused = reloads.last();
            assert_eq!(refused.outcome, outcome);
            assert_eq!(refused.error, Some(told));
            assert_eq!(refused.succeeded_at, started.succeeded_at);
        }
        let generation = Generation(1);
        reloads.note(&Ok(Reloaded::Unchanged { generation }));
        let mended = reloads.last();
        assert_eq!((mended.outcome, mended.error), ("unchanged", None));
        assert_eq!(mended.succeeded_at, mended.at);
    }
}
