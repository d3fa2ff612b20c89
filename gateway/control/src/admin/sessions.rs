//! `/api/sessions`: the sessions that affinities remember in the gateway, and
//! the end of one.
//!
//! What a plugin knows a session by is often a secret of the application: who
//! has it, has the session. So nobody is shown it, whatever their role. A session
//! is named as [`SessionNames`] has it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use gatewright_host::{Session, Sessions};
use gatewright_model::pool::Pool;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Named, count};
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
    fn fits(&self, shown: &Shown, key: &str) -> bool {
        let is = |wanted: &Option<String>, given: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == given)
        };
        let search = self.search.as_ref();
        is(&self.pool, &shown.pool)
            && is(&self.server, &shown.server_id)
            && search.is_none_or(|text| shown.session_id.starts_with(text) || text == key)
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
    fn of(names: &SessionNames, pool: &Pool, session: &Session, now: Timestamp) -> Self {
        let before = |period: std::time::Duration| {
            let period = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
            Timestamp(now.0.saturating_sub(period))
        };
        Self {
            session_id: names.name(&pool.name, &session.key),
            pool: pool.name.to_string(),
            server_id: session.endpoint.to_string(),
            created_at: before(session.age),
            last_accessed: before(session.idle),
            expires_at: now.after(session.left),
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
        (status = SERVICE_UNAVAILABLE, description = "The gateway is ending", body = Failure),
        Asked<Wanted>,
    )
)]
async fn list(
    State(control): State<Arc<Control>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refusal> {
    let listing = tokio::task::spawn_blocking(move || page(&control, &wanted));
    let (total, page) = listing.await.map_err(|_| Refusal::Stopping)?;
    let mut response = success(page).into_response();
    response
        .headers_mut()
        .insert(TOTAL, HeaderValue::from(total));
    Ok(response)
}

/// How many sessions are wanted in all, and those of the page.
fn page(control: &Control, wanted: &Wanted) -> (usize, Vec<Shown>) {
    let now = Timestamp::now();
    let mut found = Vec::new();
    for_each_pool(control, |pool, sessions| {
        let listed = sessions.list(pool, control.publisher.host().now());
        let shown = listed.iter().filter_map(|session| {
            let shown = Shown::of(&control.session_names, pool, session, now);
            wanted.fits(&shown, &session.key).then_some(shown)
        });
        found.extend(shown);
    });
    found.sort_unstable_by(|one, other| {
        let by_age = other.created_at.cmp(&one.created_at);
        by_age.then_with(|| one.session_id.cmp(&other.session_id))
    });
    let total = found.len();
    let limit = wanted.limit.unwrap_or(USUAL).min(MOST);
    let page = found.into_iter().skip(wanted.offset.unwrap_or(0));
    (total, page.take(limit).collect())
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
    let wanted = session_id.clone();
    let deleting = control.clone();
    let forgotten = tokio::task::spawn_blocking(move || forget(&deleting, &wanted));
    if !forgotten.await.map_err(|_| Refusal::Stopping)? {
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
    control.store.note(entry).await?;
    let deleted = Deleted {
        session_id,
        deleted: true,
    };
    Ok(success(deleted).into_response())
}

/// Forget the session of that name; returns whether there was one.
fn forget(control: &Control, session_id: &str) -> bool {
    let mut is_gone = false;
    for_each_pool(control, |pool, sessions| {
        let listed = sessions.list(pool, control.publisher.host().now());
        let named = listed
            .iter()
            .filter(|session| control.session_names.name(&pool.name, &session.key) == session_id);
        for session in named {
            is_gone |= sessions.remove(&session.key);
        }
    });
    is_gone
}

/// The sessions of each pool in force.
fn for_each_pool(control: &Control, mut visit: impl FnMut(&Pool, &Sessions)) {
    let (snapshot, plan) = (control.publisher.snapshot(), control.publisher.plan());
    for pool in &snapshot.pools {
        if let Some(sessions) = plan.sessions(&pool.name) {
            visit(pool, sessions);
        }
    }
}
