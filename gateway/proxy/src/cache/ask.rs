//! Looking for an answer among those that are kept, and waiting for one that another
//! request has been sent for.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use gatewright_host::ExchangeView as _;
use gatewright_model::cache::Way;
use gatewright_model::config::CacheRules;
use http::header::{self, HeaderMap};
use http::{Method, Response, StatusCode};

use super::directives::RequestDirectives;
use super::fetch::Fetch;
use super::flights::{Landing, Lead, Part, landing};
use super::freshness::{Usable, is_for_all};
use super::refresh;
use super::reply::reply;
use super::status::{Status, Why};
use super::store::Found;
use super::stored::{Key, Stored};
use super::told::Told;
use crate::body::Content;
use crate::connection::Client;
use crate::current::PoolView;
use crate::facts::Held;

/// What has come of looking.
pub(crate) enum Asked {
    /// An answer.
    Answered(Response<Content>),
    /// A server is to be asked, and its answer to be settled; none: it is nobody's
    /// business but the client's.
    Fetch(Option<Box<Fetch>>),
}

/// Look for an answer.
pub(crate) async fn ask(
    client: &Rc<Client>,
    held: &mut Held,
    pool: &PoolView,
    rules: &CacheRules,
) -> Asked {
    if held.upgrade.is_some() {
        return Asked::Fetch(None);
    }
    let cache = Arc::clone(&client.worker.current().cache);
    let told = Told::of(held, client.is_trusted());
    held.is_known |= told.is_user;
    let asked = held.asked_authority();
    let key = Key {
        pool: pool.pool.name.clone(),
        url: url(held.scheme(), asked, held.path(), held.query()),
        told: told.text.into(),
    };
    let mut fetch = Fetch::new(cache, key, pool, rules);
    let is_get = held.method == Method::GET;
    if !is_get && held.method != Method::HEAD {
        return fetch.passes(Why::Method);
    }
    // What depends on more than its headers is the server's to judge.
    let is_judged = [header::IF_MATCH, header::IF_UNMODIFIED_SINCE];
    let is_judged = is_judged.iter().any(|name| held.headers.contains_key(name));
    if held.has_body() || is_judged || told.is_unknown {
        return fetch.passes(Why::Bypass);
    }
    let said = RequestDirectives::of(&held.headers);
    let mut waiting = Waiting::default();
    loop {
        let now = Instant::now();
        let found = fetch.find(held, now);
        let usable = found.stored.as_ref();
        let usable = usable.map(|stored| (stored, stored.freshness.usable(&said, now)));
        let why = match usable {
            Some((stored, Usable::Fresh)) => {
                return fetch.hits(held, stored, Way::Hit, waiting.collapsed());
            }
            Some((stored, Usable::Stale)) => {
                return fetch.hits(held, stored, Way::Stale, waiting.collapsed());
            }
            Some((stored, Usable::Meanwhile)) => {
                refresh::begin(client, held, pool, &fetch, stored);
                return fetch.hits(held, stored, Way::Stale, waiting.collapsed());
            }
            Some((stored, Usable::Validated)) => match stored.freshness.left(now) {
                Some(_) if !stored.freshness.is_validated_always => Why::Request,
                _ => Why::Stale,
            },
            None if held.headers.contains_key(header::RANGE) && is_get => Why::Partial,
            None if found.has_others => Why::VaryMiss,
            None => Why::UriMiss,
        };
        if said.only_if_cached {
            return fetch.misses(held);
        }
        fetch.why = why;
        fetch.is_kept = is_get && !said.no_store;
        // What comes may be for one user alone.
        let is_alone = held.is_authorised() && found.stored.is_none();
        if !fetch.is_kept || is_alone || !may_wait(&found, why, &waiting, rules) {
            return fetch.goes(held, found, None);
        }
        match fetch.cache.flights.join(&fetch.key) {
            // Another may have been here between the look and now.
            Part::Lead(lead) if fetch.is_answered(held, &said) => drop(lead),
            Part::Lead(lead) => return fetch.goes(held, found, Some(lead)),
            Part::Crowded => return fetch.goes(held, found, None),
            Part::Wait(under_way) => {
                let deadline = client.worker.deadlines.register();
                deadline.arm(rules.wait.saturating_sub(waiting.since.elapsed()));
                waiting.landed = deadline.limit(landing(under_way)).await.ok();
                held.waited = held.started.elapsed();
                if !matches!(waiting.landed, Some(Landing::Kept | Landing::Lost)) {
                    return fetch.goes(held, found, None);
                }
            }
        }
    }
}

/// How a request has waited for others.
struct Waiting {
    since: Instant,
    /// What it has waited for, if anything.
    landed: Option<Landing>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            landed: None,
        }
    }
}

impl Waiting {
    fn collapsed(&self) -> bool {
        self.landed == Some(Landing::Kept)
    }
}

/// Whether what another request brings may do for this one.
fn may_wait(found: &Found, why: Why, waiting: &Waiting, rules: &CacheRules) -> bool {
    let is_own = matches!(why, Why::Request | Why::Partial)
        || found.is_apart
        || found
            .stored
            .as_ref()
            .is_some_and(|stored| stored.freshness.is_validated_always);
    // What has come once and does not do will not do the next time.
    !is_own && !waiting.collapsed() && waiting.since.elapsed() < rules.wait
}

/// A URL; hosts are the same in any case.
pub(super) fn url(scheme: &str, authority: &str, path: &str, query: Option<&str>) -> Box<str> {
    let authority = authority.to_ascii_lowercase();
    match query {
        Some(query) => format!("{scheme}://{authority}{path}?{query}").into(),
        None => format!("{scheme}://{authority}{path}").into(),
    }
}

impl Fetch {
    /// The server answers, and nothing is kept.
    fn passes(mut self: Box<Self>, why: Why) -> Asked {
        self.why = why;
        Asked::Fetch(Some(self))
    }

    /// What is kept for a request. To somebody who has said who it is servers might
    /// answer otherwise than to those for whom it was made.
    fn find(&self, held: &Held, now: Instant) -> Found {
        let mut found = self.cache.find(&self.key, &held.headers, now);
        if held.is_authorised() {
            found.stored = found.stored.filter(|stored| is_for_all(&stored.headers));
        }
        found
    }

    /// Whether what is kept does by now.
    fn is_answered(&self, held: &Held, said: &RequestDirectives) -> bool {
        let now = Instant::now();
        let found = self.find(held, now).stored;
        found.is_some_and(|stored| stored.freshness.usable(said, now) == Usable::Fresh)
    }

    /// The server is asked, and whether what is kept is still right.
    fn goes(mut self: Box<Self>, held: &mut Held, found: Found, lead: Option<Lead>) -> Asked {
        self.lead = lead;
        self.stale = found.stored;
        // Where nothing is to be kept, the client's own question is the right one.
        if self.is_kept && self.why != Why::Partial && !(found.is_apart && self.stale.is_none()) {
            self.conditions.take(&mut held.headers);
        }
        if let Some(stale) = self.stale.as_ref().filter(|_| self.is_kept) {
            self.is_validating = Conditions::put(stale, &mut held.headers);
        }
        Asked::Fetch(Some(self))
    }

    /// What is kept is the answer.
    fn hits(&self, held: &mut Held, stored: &Stored, way: Way, collapsed: bool) -> Asked {
        self.count(way);
        let now = Instant::now();
        held.responded = Some(now);
        let mut response = reply(stored, &held.method, &held.headers, now);
        let status = Status {
            collapsed,
            ttl: Some(stored.freshness.ttl(now)),
            ..Status::default()
        };
        status.tell(response.headers_mut());
        Asked::Answered(response)
    }

    /// Nothing that is kept will do, and the client wants nothing else.
    fn misses(&self, held: &mut Held) -> Asked {
        self.count(Way::Miss);
        held.responded = Some(Instant::now());
        let mut response = Response::new(Content::empty());
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        let status = Status {
            why: Some(self.why),
            detail: Some("only-if-cached"),
            ..Status::default()
        };
        status.tell(response.headers_mut());
        Asked::Answered(response)
    }
}

/// What a client asks whether it is still right, while the cache asks for itself.
#[derive(Debug, Default)]
pub(super) struct Conditions(HeaderMap);

impl Conditions {
    /// Take them off a request.
    pub(super) fn take(&mut self, request: &mut HeaderMap) {
        for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
            for value in request.get_all(&name) {
                self.0.append(name.clone(), value.clone());
            }
            request.remove(&name);
        }
    }

    /// Ask whether a kept answer is still right; returns whether that can be asked.
    pub(super) fn put(stored: &Stored, request: &mut HeaderMap) -> bool {
        let mut ask = |name, validator: &header::HeaderName| {
            let validator = stored.headers.get(validator).cloned();
            let is_there = validator.is_some();
            if let Some(validator) = validator {
                request.insert(name, validator);
            }
            is_there
        };
        let by_tag = ask(header::IF_NONE_MATCH, &header::ETAG);
        let by_date = ask(header::IF_MODIFIED_SINCE, &header::LAST_MODIFIED);
        by_tag || by_date
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_headers(&self) -> &HeaderMap {
        &self.0
    }

    /// Put the client's own in their place again.
    pub(super) fn restore(&self, request: &mut HeaderMap) {
        request.remove(header::IF_NONE_MATCH);
        request.remove(header::IF_MODIFIED_SINCE);
        for (name, value) in &self.0 {
            request.append(name.clone(), value.clone());
        }
    }
}
