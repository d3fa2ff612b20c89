//! `/api/cache`: what is kept of servers' answers, and keeping it no more.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use gatewright_model::cache::Way;
use gatewright_model::id::PoolName;
use gatewright_model::pool::Pool;
use gatewright_proxy::{NoUrl, Purge, Urls};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::Asked;
use super::envelope::{Success, success};
use crate::access::Who;
use crate::change::Refusal;
use crate::control::Control;
use crate::store::Entry;
use crate::timestamp::Timestamp;

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(show, purge))
}

/// What is kept, of all pools.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cache)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// URLs of which something is known: an answer, or that there is none to keep.
    entries: usize,
    /// What they and bodies on their way to them take of the memory, in bytes, about.
    bytes: u64,
    /// What they may take, in bytes.
    capacity: u64,
    /// How often something gave way to something else, since the start.
    evictions: u64,
    /// The pools that cache.
    pools: Vec<ShownPool>,
}

/// How requests to a pool were answered since it was added.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheOfPool)]
#[serde(rename_all = "camelCase")]
struct ShownPool {
    pool: String,
    /// From what is kept.
    hits: u64,
    /// From what is kept, although it was stale.
    stale: u64,
    /// From what is kept, once a server had said that it is still right.
    revalidated: u64,
    /// By a server.
    misses: u64,
    /// By a server, since nothing is kept for requests like it.
    bypassed: u64,
}

impl ShownPool {
    fn of(pool: &Pool) -> Self {
        let ways = &pool.state.ways;
        Self {
            pool: pool.name.to_string(),
            hits: ways.of(Way::Hit),
            stale: ways.of(Way::Stale),
            revalidated: ways.of(Way::Revalidated),
            misses: ways.of(Way::Miss),
            bypassed: ways.of(Way::Bypass),
        }
    }
}

/// Show what is kept of servers' answers.
///
/// And how requests to pools that cache were answered.
#[utoipa::path(
    get, path = "/api/cache", operation_id = "showCache", tag = "cache",
    responses((status = OK, description = "What is kept", body = Success<Shown>))
)]
async fn show(State(control): State<Arc<Control>>) -> Response {
    let in_force = control.publisher.in_force();
    let kept = in_force.cache.kept();
    let pools = in_force.snapshot.pools.iter();
    let pools = pools.filter(|pool| pool.config.cache.is_some());
    let shown = Shown {
        entries: kept.entries,
        bytes: kept.bytes,
        capacity: kept.capacity,
        evictions: kept.evictions,
        pools: pools.map(|pool| ShownPool::of(pool)).collect(),
    };
    success(shown).into_response()
}

/// Which answers are kept no more: those that one of these names, or all.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those for this URL, in all variants: as clients ask for it, with the path that
    /// servers are asked for where that is another. The host's case and a port that goes
    /// without saying do not count. Empty, or nothing that a request can be for: 422.
    #[param(value_type = String, required = false, example = "https://shop.example/logo.png")]
    url: Option<String>,
    /// Those for all URLs that begin so: with the scheme, and whatever follows of a URL.
    /// Empty, or nothing that one can begin with: 422.
    #[param(value_type = String, required = false, example = "https://shop.example/images/")]
    prefix: Option<String>,
    /// Those of this pool.
    #[param(value_type = String, required = false)]
    pool: Option<String>,
}

impl Wanted {
    /// What is to go, and how it is told of.
    fn meant(self) -> Result<(Purge, String), Refusal> {
        match (self.url, self.prefix, self.pool) {
            (None, None, None) => Ok((Purge::All, "everything".to_owned())),
            (Some(url), None, None) => urls("url", &url, Urls::one),
            (None, Some(prefix), None) => urls("prefix", &prefix, Urls::beginning),
            (None, None, Some(pool)) => {
                Ok((Purge::Pool(PoolName::from(&*pool)), format!("pool {pool}")))
            }
            _ => Err(Refusal::Invalid {
                field: None,
                message: "write one of url, prefix and pool, or none of them for everything".into(),
            }),
        }
    }
}

/// What is to go by a field that says URLs, and how it is told of.
fn urls(
    field: &str,
    text: &str,
    read: fn(&str) -> Result<Urls, NoUrl>,
) -> Result<(Purge, String), Refusal> {
    // As from a variable of a shell that is not set: all that begin so are all.
    if text.is_empty() {
        let message = "it is empty; write a URL such as \"https://shop.example/images/\", or, \
                       for everything, none of url, prefix and pool";
        return Err(Refusal::field(field, message));
    }
    let urls = read(text).map_err(|error| {
        let remedy = "write a URL as clients ask for it, such as \"https://shop.example/images/\"";
        Refusal::field(field, format!("{text:?} does not fit: {error}; {remedy}"))
    })?;
    Ok((Purge::Urls(urls), format!("{field} {text}")))
}

/// How much is kept no more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CachePurged)]
#[serde(rename_all = "camelCase")]
struct Purged {
    /// URLs of which nothing is known any more.
    purged: usize,
}

/// Keep answers no more.
///
/// Those for a URL, for all that begin alike, or of a pool; all of them if none of these is
/// named. What servers are being asked for meanwhile is not kept either.
#[utoipa::path(
    delete, path = "/api/cache", operation_id = "purgeCache", tag = "cache",
    params(Wanted),
    responses(
        (status = OK, description = "They are not kept any more", body = Success<Purged>),
        Asked<Wanted>, Refusal,
    )
)]
async fn purge(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refusal> {
    let (purge, target) = wanted.meant()?;
    let in_force = control.publisher.in_force();
    if let Purge::Pool(name) = &purge
        && in_force.snapshot.pool_named(name.as_str()).is_none()
    {
        return Err(Refusal::NotFound(format!("there is no pool {name}")));
    }
    // A look at everything that is kept takes its time.
    let purging = tokio::task::spawn_blocking(move || in_force.cache.purge(&purge));
    let purged = purging.await.map_err(|_| Refusal::Stopping)?;
    let entry = Entry {
        at: Timestamp::now(),
        who: who.name,
        from: Some(who.from.to_string()),
        action: "cache.purge".to_owned(),
        target,
        generation: None,
    };
    control.store.note(entry).await?;
    Ok(success(Purged { purged }).into_response())
}
