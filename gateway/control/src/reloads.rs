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
    /// `applied`, `unchanged`, or `refused`: what was in force before still is.
    #[schema(example = "applied")]
    pub outcome: &'static str,
    /// Why it was refused, with file, line and key.
    pub error: Option<String>,
    /// The last time that it was not.
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
            Err(_) => "refused",
        };
        held.error = outcome.as_ref().err().map(ToString::to_string);
        if outcome.is_ok() {
            held.succeeded_at = held.at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::id::Generation;

    #[test]
    fn a_refusal_is_told_until_the_files_are_mended() {
        let reloads = Reloads::default();
        let started = reloads.last();
        assert_eq!((started.outcome, started.error), ("applied", None));
        reloads.note(&Err(ReloadError::Stopping));
        let refused = reloads.last();
        assert_eq!(refused.outcome, "refused");
        assert_eq!(refused.error.as_deref(), Some("the gateway is stopping"));
        assert_eq!(refused.succeeded_at, started.succeeded_at);
        let generation = Generation(1);
        reloads.note(&Ok(Reloaded::Unchanged { generation }));
        let mended = reloads.last();
        assert_eq!((mended.outcome, mended.error), ("unchanged", None));
        assert_eq!(mended.succeeded_at, mended.at);
    }
}
