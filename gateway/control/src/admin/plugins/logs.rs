//! `GET /api/plugins/{name}/logs`: what a plugin has written, and what the host
//! noted of it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use gatewright_host::{Level, Part};
use serde::Serialize;
use utoipa::ToSchema;

use super::stats::seat_of;
use super::{find, plain};
use crate::admin::asked::{Asked, Limit, Named};
use crate::admin::envelope::{Failure, Success};
use crate::change::Refusal;
use crate::control::Control;
use crate::timestamp::Timestamp;

/// An entry of a plugin's log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogEntry)]
struct Entry {
    at: Timestamp,
    /// The seat, such as `web/balancer`.
    binding: String,
    part: String,
    level: &'static str,
    message: String,
}

/// A plugin's log.
#[derive(Debug, Serialize, ToSchema)]
struct Log {
    /// The newest last.
    entries: Vec<Entry>,
    /// Entries that were dropped because there were too many in a second.
    dropped: u64,
}

/// Show a plugin's log.
///
/// What all its bindings have written lately, and what the host noted of them.
#[utoipa::path(
    get, path = "/api/plugins/{name}/logs", operation_id = "showPluginLog", tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name"), Limit),
    responses(
        (status = OK, description = "The log", body = Success<Log>),
        (status = NOT_FOUND, description = "There is no such plugin", body = Failure),
        Named,
    )
)]
pub(super) async fn logs(
    State(control): State<Arc<Control>>,
    Named(name): Named,
    Asked(limit): Asked<Limit>,
) -> Result<Response, Refusal> {
    let name = find(&control, &control.publisher.snapshot().config, &name)?;
    let plan = control.publisher.plan();
    let (mut entries, mut dropped) = (Vec::new(), 0);
    // A canary writes to the log of the one that it stands beside.
    let bindings = plan.bindings().iter();
    let bindings = bindings.filter(|one| *one.plugin() == name && one.part() != Part::Canary);
    for binding in bindings {
        let journal = binding.journal();
        dropped += journal.dropped();
        let seat = seat_of(binding);
        entries.extend(journal.entries().into_iter().map(|entry| Entry {
            at: Timestamp(entry.unix_ms),
            binding: seat.clone(),
            part: binding.part().to_string(),
            level: level(entry.level),
            message: entry.message,
        }));
    }
    entries.sort_by_key(|entry| entry.at);
    entries.drain(..entries.len().saturating_sub(limit.most()));
    Ok(plain(Log { entries, dropped }))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}
