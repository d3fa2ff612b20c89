//! What becomes of a server's answer: it is kept, it says that what is kept is still
//! right, or it is the client's alone.

use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use gatewright_model::cache::Way;
use gatewright_model::config::CacheRules;
use gatewright_model::pool::Pool;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode, Uri};

use super::ask::{Conditions, url};
use super::flights::Lead;
use super::freshness::{Freshness, Times, is_for_all, is_storable};
use super::keep::{Keep, Keeping, lands};
use super::reply::{is_known, not_modified, own, reply};
use super::status::{Status, Why};
use super::store::Cache;
use super::stored::{Key, Selection, Stored};
use crate::attempt::Answered;
use crate::body::Content;
use crate::current::PoolView;
use crate::facts::Held;
use crate::respond::Denial;
use crate::upstream::{discard_aside, read_aside};
use crate::worker::Worker;

/// A request for which a server is asked.
pub(crate) struct Fetch {
    pub(super) cache: Arc<Cache>,
    pub(super) key: Key,
    pool: Arc<Pool>,
    rules: CacheRules,
    asked: Instant,
    pub(super) why: Why,
    /// Whether the answer is kept, if it may be.
    pub(super) is_kept: bool,
    /// Who waits for it.
    pub(super) lead: Option<Lead>,
    /// What is kept and must not be used as it is.
    pub(super) stale: Option<Arc<Stored>>,
    /// Whether the server is asked if that is still right.
    pub(super) is_validating: bool,
    /// What the client has asked whether it is still right.
    pub(super) conditions: Conditions,
    /// Whether no client waits for it.
    is_aside: bool,
}

impl Fetch {
    pub(super) fn new(
        cache: Arc<Cache>,
        key: Key,
        pool: &PoolView,
        rules: &CacheRules,
    ) -> Box<Self> {
        Box::new(Self {
            cache,
            key,
            pool: Arc::clone(&pool.pool),
            rules: *rules,
            asked: Instant::now(),
            why: Why::Bypass,
            is_kept: false,
            lead: None,
            stale: None,
            is_validating: false,
            conditions: Conditions::default(),
            is_aside: false,
        })
    }

    /// Another for the same, which asks whether something is still right that is
    /// used meanwhile.
    pub(super) fn to_refresh(&self, stored: &Arc<Stored>, lead: Lead) -> Box<Self> {
        Box::new(Self {
            cache: Arc::clone(&self.cache),
            key: self.key.clone(),
            pool: Arc::clone(&self.pool),
            rules: self.rules,
            asked: Instant::now(),
            why: Why::Stale,
            is_kept: true,
            lead: Some(lead),
            stale: Some(Arc::clone(stored)),
            is_validating: false,
            conditions: Conditions::default(),
            is_aside: true,
        })
    }

    /// The largest body that is kept, in bytes.
    pub(super) fn most(&self) -> usize {
        usize::try_from(self.rules.max_object).unwrap_or(usize::MAX)
    }

    /// Count how a client was answered.
    pub(super) fn count(&self, way: Way) {
        if !self.is_aside {
            self.pool.state.ways.count(way);
        }
    }

    /// Make of what a server has answered, if it has, what the client is told, whatever
    /// has come of asking it.
    pub(crate) fn settle(
        mut self: Box<Self>,
        worker: &Rc<Worker>,
        held: &mut Held,
        outcome: Result<Answered, Denial>,
        response: &mut Response<Content>,
    ) -> Result<(), Denial> {
        if self.is_kept {
            self.restore(&mut held.headers);
        }
        let failed = match &outcome {
            Ok(answered) => answered.status,
            Err(denial) => denial.status(),
        };
        if let Some(stale) = self.stale_for(failed) {
            let kept = self.answers(held, &stale, (Way::Stale, failed, false));
            discard_aside(worker, mem::replace(response, kept).into_body());
            return Ok(());
        }
        let at = outcome?.at;
        if response.status() == StatusCode::NOT_MODIFIED
            && self.is_validating
            && let Some(stale) = self.stale.take()
        {
            *response = self.confirmed(held, &stale, response, at);
            return Ok(());
        }
        let answer = mem::replace(response, Response::new(Content::empty()));
        *response = self.passed_on(worker, held, answer, at);
        Ok(())
    }

    fn restore(&self, request: &mut HeaderMap) {
        if self.is_validating || !self.conditions.is_empty() {
            self.conditions.restore(request);
        }
    }

    /// What is kept and may be used, since servers fail with this status.
    fn stale_for(&self, status: StatusCode) -> Option<Arc<Stored>> {
        let is_failure = matches!(status.as_u16(), 500 | 502 | 503 | 504);
        let stale = self.stale.as_ref().filter(|_| is_failure)?;
        let is_for_errors = stale.freshness.is_for_errors(Instant::now());
        is_for_errors.then(|| Arc::clone(stale))
    }

    /// The server has said that what is kept is still right.
    fn confirmed(
        mut self: Box<Self>,
        held: &mut Held,
        stale: &Stored,
        answer: &Response<Content>,
        received: Instant,
    ) -> Response<Content> {
        let mut headers = stale.headers_updated_by(answer.headers());
        let freshness = self.freshness(stale.status, &mut headers, received);
        // The server may tell answers apart by something else by now.
        let selection = Selection::of(&headers, &held.headers);
        let is_selectable = selection.is_some();
        let stored = Arc::new(Stored::new(
            stale.status,
            headers,
            stale.body.clone(),
            freshness,
            selection.unwrap_or_default(),
        ));
        // It may have been for another to whom a server must not tell it, or not
        // any more.
        let is_for_others = !held.is_authorised() || is_for_all(&stored.headers);
        let may_be = is_for_others
            && is_selectable
            && is_storable(stored.status, &stored.headers, &self.rules);
        let is_kept = may_be && self.cache.keep(&self.key, &stored, self.asked);
        if !may_be && is_for_others {
            self.cache
                .keep_apart(&self.key, &held.headers, Instant::now());
        }
        lands(self.lead.take(), is_kept);
        let came = (Way::Revalidated, answer.status(), is_kept);
        self.answers(held, &stored, came)
    }

    /// What is kept is the answer, now that a server has been asked: how it came to that,
    /// with which status the server has answered, and whether that is kept.
    fn answers(
        &self,
        held: &mut Held,
        stored: &Stored,
        (way, forwarded, is_kept): (Way, StatusCode, bool),
    ) -> Response<Content> {
        self.count(way);
        let now = Instant::now();
        held.responded.get_or_insert(now);
        let mut response = reply(stored, &held.method, &held.headers, now);
        let status = Status {
            why: Some(self.why),
            forwarded: Some(forwarded.as_u16()),
            stored: is_kept,
            ttl: Some(stored.freshness.ttl(now)),
            ..Status::default()
        };
        status.tell(response.headers_mut());
        response
    }

    /// The server's answer is the client's, and kept if it may be.
    fn passed_on(
        self: Box<Self>,
        worker: &Rc<Worker>,
        held: &mut Held,
        response: Response<Content>,
        received: Instant,
    ) -> Response<Content> {
        self.count(self.why.way());
        self.changes(held, &response);
        let (why, most) = (self.why, self.most());
        let is_known = response.status() == StatusCode::OK
            && is_known(self.conditions.as_headers(), response.headers());
        let (head, content) = response.into_parts();
        let is_whole = matches!(content, Content::Whole(_));
        let (content, mut stored) = match self.kept(held, &head, (received, is_whole)) {
            Some(keeping) => keep(worker, keeping, content, most),
            None => (content, false),
        };
        let mut response = match is_known {
            true => {
                // The client has it; the rest is for those who come after.
                match content {
                    Content::Whole(_) => {}
                    content if stored => stored = read_aside(worker, content, most),
                    content => discard_aside(worker, content),
                }
                not_modified(head.headers)
            }
            false => Response::from_parts(head, content),
        };
        let status = Status {
            why: Some(why),
            stored,
            ..Status::default()
        };
        status.tell(response.headers_mut());
        response
    }

    /// What is to be kept of an answer once its body has come, which may have come
    /// already; none if it may not be.
    fn kept(
        mut self: Box<Self>,
        held: &Held,
        head: &http::response::Parts,
        (received, is_whole): (Instant, bool),
    ) -> Option<Keeping> {
        if !self.is_kept {
            return None;
        }
        // To a request for a part, all but the whole is an answer to that alone.
        let is_for_others = (!held.is_authorised() || is_for_all(&head.headers))
            && (head.status == StatusCode::OK || !held.headers.contains_key(header::RANGE));
        let length = head.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let may_be = is_for_others
            && is_storable(head.status, &head.headers, &self.rules)
            && length.is_none_or(|length| length <= self.rules.max_object)
            && !head.headers.contains_key(header::TRAILER);
        let selection = Selection::of(&head.headers, &held.headers).filter(|_| may_be);
        let mut headers = head.headers.clone();
        let freshness = self.freshness(head.status, &mut headers, received);
        let now = Instant::now();
        let selection = selection.filter(|_| freshness.is_useful(&headers, now));
        let Some(selection) = selection else {
            // What this request alone has earned says nothing of what others get.
            if is_for_others && is_of_resource(head.status) {
                self.cache.keep_apart(&self.key, &held.headers, now);
            }
            lands(self.lead.take(), false);
            return None;
        };
        let stored = Stored::new(
            head.status,
            headers,
            bytes::Bytes::new(),
            freshness,
            selection,
        );
        // As much as is announced, which may be kept, or what comes as it comes; nothing
        // for what is on its way no more.
        let expected = length.map_or(0, |length| length as usize);
        let needed = match is_whole {
            true => 0,
            false => stored.weight() + expected,
        };
        let Some(room) = self.cache.rooms.take(needed) else {
            lands(self.lead.take(), false);
            return None;
        };
        Some(Keeping {
            cache: Arc::clone(&self.cache),
            key: self.key.clone(),
            asked: self.asked,
            request: held.headers.clone(),
            stored,
            lead: self.lead.take(),
            room,
            expected,
        })
    }

    /// For how long an answer may be used; its headers are made those that are kept.
    fn freshness(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        received: Instant,
    ) -> Freshness {
        let times = Times {
            asked: self.asked,
            received,
            clock: SystemTime::now(),
        };
        let freshness = Freshness::of(status, headers, times, &self.rules);
        headers.remove(header::AGE);
        if !headers.contains_key(header::DATE)
            && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(times.clock))
        {
            headers.insert(header::DATE, date);
        }
        freshness
    }

    /// What a request may have changed is not used any more (RFC 9111 §4.4).
    fn changes(&self, held: &Held, response: &Response<Content>) {
        let status = response.status();
        let is_done = status.is_success() || status.is_redirection();
        if held.method.is_safe() || !is_done {
            return;
        }
        let now = Instant::now();
        self.cache.change(&self.key, now);
        for name in [header::LOCATION, header::CONTENT_LOCATION] {
            let place = response.headers().get(name);
            let place = place.and_then(|place| Uri::try_from(place.as_bytes()).ok());
            if let Some(key) = place.and_then(|place| self.elsewhere(&place)) {
                self.cache.change(&key, now);
            }
        }
    }

    /// What another URL is kept for, if it has the same origin.
    fn elsewhere(&self, place: &Uri) -> Option<Key> {
        let (scheme, rest) = self.key.url.split_once("://")?;
        let (authority, _) = rest.split_once('/')?;
        let is_same = match (place.scheme_str(), place.authority()) {
            (Some(other), Some(there)) => {
                other == scheme && there.as_str().eq_ignore_ascii_case(authority)
            }
            (None, None) => place.path().starts_with('/'),
            _ => false,
        };
        is_same.then(|| Key {
            url: url(scheme, authority, place.path(), place.query()),
            ..self.key.clone()
        })
    }
}

/// Whether an answer tells what there is now, so that it stands in the place of what is
/// kept: not a part, nor an error that may be the client's own or pass.
fn is_of_resource(status: StatusCode) -> bool {
    match status {
        StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED => false,
        StatusCode::NOT_FOUND | StatusCode::GONE => true,
        status => status.is_success() || status.is_redirection(),
    }
}

/// Keep a body: at once where it is there, else while it passes; beside it, whether it is
/// kept, or to be kept.
fn keep(worker: &Worker, keeping: Keeping, content: Content, most: usize) -> (Content, bool) {
    match content {
        Content::Whole(body) => {
            let is_kept = body.len() <= most;
            match is_kept {
                true => keeping.keep(own(&body)),
                false => keeping.give_up(),
            }
            (Content::Whole(body), is_kept)
        }
        content => (
            Content::Keeping(Box::new(Keep::begin(
                &worker.deadlines,
                content,
                keeping,
                most,
            ))),
            true,
        ),
    }
}
