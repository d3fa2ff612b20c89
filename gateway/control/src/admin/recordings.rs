//! `/api/recordings`: what a pool's balancer is handed and answers, for a while,
//! to be replayed to a candidate.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gatewright_host::{Recording, RecordingOptions};
use gatewright_model::id::PoolName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::Named;
use super::body::Body;
use super::envelope::{Failure, Success, Unkept, success};
use crate::access::Who;
use crate::change::{Author, Refusal};
use crate::control::Control;
use crate::recordings::{Kept, MOST};
use crate::store::Entry;
use crate::timestamp::Timestamp;

/// Seconds that are recorded when no number is asked for, and at most.
const USUAL_SECONDS: u64 = 30;
const MOST_SECONDS: u64 = 600;

/// For how long, in seconds, nobody may ask for one that is to go then, at most.
const MOST_UNATTENDED: u64 = 3600;

/// Bytes of a recording at most.
const MOST_BYTES: usize = 32 << 20;

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(download, delete))
}

/// A recording as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Recording)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    pool: String,
    plugin: String,
    /// The version's digest.
    version: String,
    /// The share of decisions that is recorded, in percent.
    sample: u8,
    began: Timestamp,
    /// How long it was asked for.
    seconds: u64,
    /// `recording`, `done`, or `full`: 32 MiB came before its time was over.
    #[schema(example = "done")]
    state: &'static str,
    /// Decisions in it.
    decisions: u64,
    /// Its size, without its first line.
    bytes: usize,
}

impl Shown {
    fn of(kept: &Kept, now: Duration) -> Self {
        let (recording, header) = (&kept.recording, kept.recording.header());
        Self {
            id: kept.id.to_string(),
            pool: header.pool.clone(),
            plugin: header.plugin.clone(),
            version: header.version.clone(),
            sample: header.sample,
            began: kept.began,
            seconds: kept.seconds,
            state: match recording.is_over(now) {
                true if recording.is_full() => "full",
                true => "done",
                false => "recording",
            },
            decisions: recording.decisions(),
            bytes: recording.bytes(),
        }
    }
}

/// List the recordings.
///
/// They are in memory, four at most, and gone with a restart.
#[utoipa::path(
    get, path = "/api/recordings", operation_id = "listRecordings", tag = "recordings",
    responses((status = OK, description = "The recordings", body = Success<Vec<Shown>>))
)]
async fn list(State(control): State<Arc<Control>>) -> Response {
    control.recordings.are_asked_for();
    let now = control.publisher.host().now();
    let kept = control.recordings.list();
    let shown: Vec<_> = kept.iter().map(|kept| Shown::of(kept, now)).collect();
    success(shown).into_response()
}

/// What is to be recorded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewRecording)]
struct Wanted {
    /// The pool whose balancer is to be recorded.
    #[schema(example = "web")]
    pool: String,
    /// For how long; 30 if it is not said.
    #[schema(minimum = 1, maximum = 600)]
    seconds: Option<u64>,
    /// The share of decisions, in percent; 100 if it is not said. Less is enough
    /// for a balancer whose decisions do not depend on those before.
    #[schema(minimum = 1, maximum = 100)]
    sample: Option<u8>,
    /// It is deleted once nobody has listed the recordings, or downloaded one, for so
    /// long, as when a program was killed that would have deleted it; never if it is
    /// not said.
    #[schema(minimum = 1, maximum = 3600)]
    unattended_seconds: Option<u64>,
}

/// Record a balancer's decisions.
///
/// Everything that the contract hands to it, and what it answers: it is all that is
/// needed to replay them. Each worker's instance is replaced by a fresh one, which
/// is handed what the old one learned, so that its whole past is in the recording.
/// What a plugin asks of requests is recorded with it: headers such as
/// `Authorization` and `Cookie`, cookies and queries as digests, others as they are.
/// With each decision is `key`, a hash (xxh3, without a key of its own) of what the pool
/// hashes by: addresses can be guessed from it. Keep recordings as secret as access logs.
/// It ends with its time, at 32 MiB, when the seat changes, or when another one of the
/// pool begins.
#[utoipa::path(
    post, path = "/api/recordings", operation_id = "createRecording", tag = "recordings",
    request_body = Wanted,
    responses(
        (status = CREATED, description = "It is being recorded", body = Success<Shown>),
        (status = NOT_FOUND, description = "There is no such pool", body = Failure),
        (status = CONFLICT, description = "There are four already", body = Failure),
        Body<Wanted>, Unkept,
    )
)]
async fn create(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Refusal> {
    let seconds = wanted.seconds.unwrap_or(USUAL_SECONDS);
    if !(1..=MOST_SECONDS).contains(&seconds) {
        let message = format!("write 1 to {MOST_SECONDS} seconds");
        return Err(Refusal::field("seconds", message));
    }
    let sample = wanted.sample.unwrap_or(100);
    if !(1..=100).contains(&sample) {
        return Err(Refusal::field("sample", "write 1 to 100 percent"));
    }
    let unattended = wanted.unattended_seconds;
    if unattended.is_some_and(|seconds| !(1..=MOST_UNATTENDED).contains(&seconds)) {
        let message = format!("write 1 to {MOST_UNATTENDED} seconds, or leave it out");
        return Err(Refusal::field("unattendedSeconds", message));
    }
    let pool = PoolName::from(wanted.pool.as_str());
    let plan = control.publisher.plan();
    let balancer = plan
        .balancer(&pool)
        .ok_or_else(|| Refusal::NotFound(format!("there is no pool {}", wanted.pool)))?;
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| Refusal::field("", format!("the system has no randomness: {error}")))?;
    let options = RecordingOptions {
        sample,
        length: Duration::from_secs(seconds),
        bytes: MOST_BYTES,
        key,
    };
    let recording = Recording::new(balancer, &options);
    let kept = control.recordings.keep(&recording, seconds);
    let kept = kept.ok_or_else(|| Refusal::Conflict(too_many(&control)))?;
    control.recordings.are_asked_for();
    if let Some(seconds) = unattended {
        // At once: who asks may be gone before the rest is done, and that with it.
        let patience = Duration::from_secs(seconds);
        tokio::spawn(attend(Arc::downgrade(&control), kept.id, patience));
    }
    // Nothing is recorded, and no other one ends, that nobody finds in the audit log.
    let noted = note(&control, who.into(), "recording.create", &kept).await;
    if let Err(refusal) = noted {
        control.recordings.remove(kept.id);
        return Err(refusal);
    }
    control.recordings.end_older(&kept);
    control.publisher.record(&pool, &recording).await;
    let shown = Shown::of(&kept, control.publisher.host().now());
    Ok((StatusCode::CREATED, success(shown)).into_response())
}

/// Download a recording.
///
/// As JSON Lines; of one that is not over, what there is of it yet. It is what
/// `gatewright plugin replay` reads.
#[utoipa::path(
    get, path = "/api/recordings/{id}", operation_id = "downloadRecording", tag = "recordings",
    params(("id" = String, Path, description = "As the list names it")),
    responses(
        (status = OK, description = "The recording", body = String, content_type = "application/jsonl"),
        (status = NOT_FOUND, description = "There is no such recording", body = Failure),
        Named,
    )
)]
async fn download(
    State(control): State<Arc<Control>>,
    Named(id): Named,
) -> Result<Response, Refusal> {
    let kept = number(&id).and_then(|id| control.recordings.find(id));
    let kept = kept.ok_or_else(|| missing(&id))?;
    control.recordings.are_asked_for();
    let number = kept.id;
    let writing = tokio::task::spawn_blocking(move || kept.recording.text());
    let text = writing.await.map_err(|_| Refusal::Stopping)?;
    // Of one that was deleted meanwhile lines may be missing.
    let whole = control.recordings.find(number);
    whole.ok_or_else(|| missing(&id))?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], text).into_response())
}

/// Delete a recording.
///
/// One that is not over ends.
#[utoipa::path(
    delete, path = "/api/recordings/{id}", operation_id = "deleteRecording", tag = "recordings",
    params(("id" = String, Path, description = "As the list names it")),
    responses(
        (status = OK, description = "It is gone", body = Success<Shown>),
        (status = NOT_FOUND, description = "There is no such recording", body = Failure),
        Named, Unkept,
    )
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Named(id): Named,
) -> Result<Response, Refusal> {
    let number = number(&id).ok_or_else(|| missing(&id))?;
    let removed = remove(&control, who.into(), number).await?;
    let removed = removed.ok_or_else(|| missing(&id))?;
    let shown = Shown::of(&removed, control.publisher.host().now());
    Ok(success(shown).into_response())
}

/// Delete the recording of that id, if there is one.
async fn remove(control: &Control, who: Author, id: u64) -> Result<Option<Kept>, Refusal> {
    let _deleting = control.deleting.lock().await;
    let Some(found) = control.recordings.find(id) else {
        return Ok(None);
    };
    // None goes that nobody finds in the audit log.
    note(control, who, "recording.delete", &found).await?;
    Ok(control.recordings.remove(id))
}

/// Delete a recording once nobody has asked for any for so long.
async fn attend(control: Weak<Control>, id: u64, patience: Duration) {
    let mut pause = patience;
    loop {
        tokio::time::sleep(pause).await;
        let Some(control) = control.upgrade() else {
            return;
        };
        if control.recordings.find(id).is_none() {
            return;
        }
        pause = patience.saturating_sub(control.recordings.unattended());
        if pause.is_zero() {
            if remove(&control, Author::gateway(), id).await.is_ok() {
                return;
            }
            // It is tried again, such as when the disk has room.
            pause = patience;
        }
    }
}

/// That there is no room for another one: a finished one may be somebody's who has
/// yet to download it.
fn too_many(control: &Control) -> String {
    let now = control.publisher.host().now();
    let kept = control.recordings.list();
    let shown = kept.iter().map(|kept| Shown::of(kept, now));
    let shown = shown.map(|one| format!("{} of {} ({})", one.id, one.pool, one.state));
    let oldest = kept.first().map_or(0, |kept| kept.id);
    format!(
        "there are {MOST} recordings already: {}; delete one, as by `curl -X DELETE \
         ADDRESS/api/recordings/{oldest}`",
        shown.collect::<Vec<_>>().join(", ")
    )
}

fn number(id: &str) -> Option<u64> {
    let number: u64 = id.parse().ok()?;
    // One name for each.
    (number.to_string() == id).then_some(number)
}

fn missing(id: &str) -> Refusal {
    let message = format!("there is no recording {id:?}; they are at /api/recordings");
    Refusal::NotFound(message)
}

async fn note(control: &Control, who: Author, action: &str, kept: &Kept) -> Result<(), Refusal> {
    let entry = Entry {
        at: Timestamp::now(),
        who: who.name,
        from: who.from,
        action: action.to_owned(),
        target: format!(
            "pools.{}.balancer {}",
            kept.recording.header().pool,
            kept.id
        ),
        generation: None,
    };
    Ok(control.store.note(entry).await?)
}
