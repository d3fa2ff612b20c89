//! `/api/sessions`: the sessions that affinities remember in the gateway, and
//! the end of one.
//!
//! What a plugin knows a session by is often a secret of the application: who
//! has it, has the session. So nobody is shown it, whatever their role. A session
//! is named as [`SessionNames`] has it.

mod stats;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use gatewright_host::{Plan, Session, Sessions};
use gatewright_model::id::PoolName;
use gatewright_model::pool::Pool;
use gatewright_model::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Named, count, must_be_there};
use super::envelope::{Failure, Success, success};
use crate::access::Who;
use crate::change::Refusal;
use crate::control::Control;
use crate::session_names::SessionNames;
use crate::store::Entry;
use crate::timestamp::Timestamp;

/// Sessions that are answered when no number is asked for.
const USUAL: usize = 100;

/// Sessions that are answered at most.
const MOST: usize = 1000;

/// How many sessions fit what was asked, on all pages.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(delete))
        .routes(routes!(stats::stats))
}

/// Which sessions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Those of this pool.
    #[param(value_type = String, required = false)]
    pool: Option<String>,
    /// Those that this server has.
    #[param(value_type = String, required = false)]
    server: Option<String>,
    /// The beginning of a `sessionId`, or the whole of what the plugin knows the
    /// session by: the application's cookie, or the client's address.
    #[param(value_type = String, required = false)]
    search: Option<String>,
    /// Sessions that are wanted: 100 if it is not said, 1000 at most.
    #[param(value_type = usize, required = false, example = 10)]
    #[serde(default, deserialize_with = "count")]
    limit: Option<usize>,
    /// Sessions to leave out before the first that is wanted.
    #[param(value_type = usize, required = false, example = 0)]
    #[serde(default, deserialize_with = "count")]
    offset: Option<usize>,
}

impl Wanted {
    /// Whether sessions of this pool are.
    fn is_of(&self, pool: &Pool) -> bool {
        let wanted = self.pool.as_ref();
        wanted.is_none_or(|name| name == pool.name.as_str())
    }

    fn fits(&self, names: &SessionNames, pool: &Pool, session: &Session) -> bool {
        let server = self.server.as_ref();
        let search = self.search.as_ref();
        let is_it = |text: &String| {
            **text == *session.key
                || names
                    .name(&pool.name, &session.key)
                    .starts_with(text.as_str())
        };
        server.is_none_or(|id| id == session.endpoint.as_str()) && search.is_none_or(is_it)
    }
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// A digest of its pool and of what the plugin knows it by, with a key that
    /// only this gateway has.
    #[schema(example = "a3f1b2c4d5e6f708")]
    session_id: String,
    pool: String,
    /// The server that has it.
    #[schema(example = "10.0.0.1:3000")]
    server_id: String,
    created_at: Timestamp,
    last_accessed: Timestamp,
    /// When it is forgotten, if it is not used before.
    expires_at: Timestamp,
}

impl Shown {
    /// `clock` is what the clock of sessions said when they were listed, and
    /// `beginning` the moment at which it stood at zero.
    fn of(
        names: &SessionNames,
        pool: &Pool,
        session: &Session,
        (beginning, clock): (Timestamp, Duration),
    ) -> Self {
        let before = |period| beginning.after(clock.saturating_sub(period));
        Self {
            session_id: names.name(&pool.name, &session.key),
            pool: pool.name.to_string(),
            server_id: session.endpoint.to_string(),
            created_at: before(session.age),
            last_accessed: before(session.idle),
            expires_at: beginning.after(clock.saturating_add(session.left)),
        }
    }
}

/// List the sessions.
///
/// Those that affinities remember in the gateway, such as `sticky-learn` and
/// `sticky-ip`; the cookies of `sticky-cookie` are kept by clients alone. The
/// newest first; `X-Total-Count` says how many there are on all pages.
#[utoipa::path(
    get, path = "/api/sessions", operation_id = "listSessions", tag = "sessions",
    params(Wanted),
    responses(
        (status = OK, description = "The sessions", body = Success<Vec<Shown>>,
         headers(("X-Total-Count" = usize))),
        (status = NOT_FOUND, description = "There is no such pool or server", body = Failure),
        (status = SERVICE_UNAVAILABLE, description = "The gateway is ending", body = Failure),
        Asked<Wanted>,
    )
)]
async fn list(
    State(control): State<Arc<Control>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    must_be_there(&snapshot, wanted.pool.as_deref(), wanted.server.as_deref())?;
    let listing = tokio::task::spawn_blocking(move || page(&control, &wanted));
    let (total, page) = listing.await.map_err(|_| Refusal::Stopping)?;
    let mut response = success(page).into_response();
    response
        .headers_mut()
        .insert(TOTAL, HeaderValue::from(total));
    Ok(response)
}

/// How many sessions are wanted in all, and those of the page. Of a hundred
/// thousand only these are put into words.
fn page(control: &Control, wanted: &Wanted) -> (usize, Vec<Shown>) {
    let clock = control.publisher.host().now();
    let beginning = control.moments.beginning(Timestamp::now(), clock);
    let (snapshot, plan) = (control.publisher.snapshot(), control.publisher.plan());
    let mut found = Vec::new();
    for (pool, sessions) in remembered(&snapshot, &plan).filter(|(pool, _)| wanted.is_of(pool)) {
        let listed = sessions.list(pool, clock).into_iter();
        let fitting = listed.filter(|session| wanted.fits(&control.session_names, pool, session));
        found.extend(fitting.map(|session| (pool, session)));
    }
    found.sort_unstable_by(|(in_one, one), (in_other, other)| {
        let one = (one.age, in_one.index, &one.key);
        one.cmp(&(other.age, in_other.index, &other.key))
    });
    let limit = wanted.limit.unwrap_or(USUAL).min(MOST);
    let page = found.iter().skip(wanted.offset.unwrap_or(0)).take(limit);
    let names = &control.session_names;
    let shown = page.map(|(pool, session)| Shown::of(names, pool, session, (beginning, clock)));
    (found.len(), shown.collect())
}

/// That a session is forgotten.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionDeleted)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    session_id: String,
    deleted: bool,
}

/// Forget a session.
///
/// The client's next request goes where the balancer sends it. The application
/// is not told.
#[utoipa::path(
    delete, path = "/api/sessions/{sessionId}", operation_id = "deleteSession", tag = "sessions",
    params(("sessionId" = String, Path, description = "As the list names it")),
    responses(
        (status = OK, description = "It is forgotten", body = Success<Deleted>),
        Named, Refusal,
    )
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Named(session_id): Named,
) -> Result<Response, Refusal> {
    let _deleting = control.deleting.lock().await;
    let wanted = session_id.clone();
    let asked = control.clone();
    let finding = tokio::task::spawn_blocking(move || named(&asked, &wanted));
    let found = finding.await.map_err(|_| Refusal::Stopping)?;
    if found.is_empty() {
        let message = format!("there is no session {session_id:?}");
        return Err(Refusal::NotFound(message));
    }
    let entry = Entry {
        at: Timestamp::now(),
        who: who.name,
        from: Some(who.from.to_string()),
        action: "session.delete".to_owned(),
        target: session_id.clone(),
        generation: None,
    };
    // None goes that nobody finds in the audit log.
    control.store.note(entry).await?;
    let (plan, clock) = (control.publisher.plan(), control.publisher.host().now());
    for (pool, key) in found {
        if let Some(sessions) = plan.sessions(&pool) {
            sessions.remove(&key, clock);
        }
    }
    let deleted = Deleted {
        session_id,
        deleted: true,
    };
    Ok(success(deleted).into_response())
}

/// The sessions of that name, of which there is hardly more than one: their pools,
/// and what the plugins know them by.
fn named(control: &Control, session_id: &str) -> Vec<(PoolName, Arc<str>)> {
    let clock = control.publisher.host().now();
    let (snapshot, plan) = (control.publisher.snapshot(), control.publisher.plan());
    let mut found = Vec::new();
    for (pool, sessions) in remembered(&snapshot, &plan) {
        let listed = sessions.list(pool, clock).into_iter();
        let named = listed
            .filter(|session| control.session_names.name(&pool.name, &session.key) == session_id);
        found.extend(named.map(|session| (pool.name.clone(), session.key)));
    }
    found
}

/// The pools in force that can remember sessions, with what they remember.
fn remembered<'a>(
    snapshot: &'a Snapshot,
    plan: &'a Plan,
) -> impl Iterator<Item = (&'a Pool, &'a Sessions)> {
    let pools = snapshot.pools.iter();
    pools.filter_map(|pool| Some((pool.as_ref(), plan.sessions(&pool.name)?.as_ref())))
}
