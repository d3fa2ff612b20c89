//! Explaining requests: what was decided about them, by whom, from what, in how
//! many nanoseconds.
//!
//! A request is explained when it is the first in a while on its worker, or
//! when it asks to be, by the header [`HEADER`] with an access token. All
//! others pay a few comparisons. Explanations are kept
//! in rings, those that were asked for apart from the samples, so that traffic
//! does not push them out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gatewright_host::{ExchangeView as _, Step};
use gatewright_model::endpoint::Endpoint;
use gatewright_model::id::{EndpointId, PoolName};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::facts::Held;
use crate::worker::Worker;

/// The header by which a request asks to be explained; its value is an access
/// token. No server sees it. In the response it holds the explanation's id.
pub const HEADER: HeaderName = HeaderName::from_static(NAME);

/// The same as text.
pub(crate) const NAME: &str = "x-gatewright-explain";

/// Explanations that each worker keeps of requests that did not ask.
const SAMPLES: usize = 256;

/// Explanations that each worker keeps of requests that asked.
const ASKED: usize = 64;

/// Ticks between two samples of a worker: 100 ms.
const SAMPLE_TICKS: u64 = 2;

/// What was decided about one request.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The request's id, as its server was told.
    pub id: String,
    /// When its head had been read.
    pub at: SystemTime,
    /// Its method.
    pub method: String,
    /// The host that it asked for.
    pub authority: String,
    /// Its normalised path, as the server saw it. The query is left out: it may
    /// hold secrets.
    pub path: String,
    /// The pool that it was routed to.
    pub pool: Option<PoolName>,
    /// The server that answered; none where the gateway did.
    pub endpoint: Option<EndpointId>,
    /// The server that was asked beside the first one, which was slow; it has won
    /// if it is the one that answered.
    pub hedged_to: Option<EndpointId>,
    /// Servers that were tried in vain before, or at the same time.
    pub retries: usize,
    /// The status of the answer.
    pub status: u16,
    /// From its head to the answer's head.
    pub duration: Duration,
    /// Whether it asked to be explained.
    pub asked: bool,
    /// Each decision, in order.
    pub steps: Vec<Step>,
}

/// Who answered a request that is being explained.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answerer {
    pub(crate) pool: Option<PoolName>,
    pub(crate) endpoint: Option<EndpointId>,
    hedged_to: Option<EndpointId>,
    asked: bool,
}

/// Says whether a text is an access token that counts.
pub type IsToken = dyn Fn(&str) -> bool + Send + Sync;

/// The explanations of all workers.
pub struct Explanations {
    rings: Box<[Mutex<Rings>]>,
    is_token: Box<IsToken>,
}

#[derive(Debug, Default)]
struct Rings {
    sampled: VecDeque<Explanation>,
    asked: VecDeque<Explanation>,
}

impl fmt::Debug for Explanations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanations").finish_non_exhaustive()
    }
}

impl Explanations {
    /// None yet, for so many workers. `is_token` is asked on the workers'
    /// threads and must not wait.
    pub fn new(workers: usize, is_token: Box<IsToken>) -> Arc<Self> {
        Arc::new(Self {
            rings: (0..workers).map(|_| Mutex::default()).collect(),
            is_token,
        })
    }

    /// Up to so many, the latest first.
    pub fn latest(&self, limit: usize) -> Vec<Explanation> {
        let mut all = Vec::new();
        for rings in &self.rings {
            let rings = rings.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(rings.sampled.iter().chain(&rings.asked).cloned());
        }
        all.sort_by_key(|explanation| std::cmp::Reverse(explanation.at));
        all.truncate(limit);
        all
    }

    /// That of a request, by its id.
    pub fn find(&self, id: &str) -> Option<Explanation> {
        self.rings.iter().find_map(|rings| {
            let rings = rings.lock().unwrap_or_else(PoisonError::into_inner);
            let mut all = rings.asked.iter().chain(&rings.sampled);
            all.find(|explanation| explanation.id == id).cloned()
        })
    }

    fn keep(&self, worker: usize, explanation: Explanation) {
        let Some(rings) = self.rings.get(worker) else {
            return;
        };
        let mut rings = rings.lock().unwrap_or_else(PoisonError::into_inner);
        let (ring, most) = match explanation.asked {
            true => (&mut rings.asked, ASKED),
            false => (&mut rings.sampled, SAMPLES),
        };
        if ring.len() == most {
            ring.pop_front();
        }
        ring.push_back(explanation);
    }
}

/// Have a request's decisions written down if it is to be explained.
#[inline]
pub(crate) fn begin(worker: &Worker, held: &mut Held) {
    if held.asks_why || worker.deadlines.now() >= worker.next_sample.get() {
        consider(worker, held);
    }
}

#[cold]
fn consider(worker: &Worker, held: &mut Held) {
    let token = match held.asks_why {
        true => held.headers.remove(HEADER),
        false => None,
    };
    let now = worker.deadlines.now();
    let is_token = |value: &HeaderValue| {
        let text = value.to_str();
        text.is_ok_and(|text| (worker.explanations.is_token)(text))
    };
    let asked = token.as_ref().is_some_and(is_token);
    if !asked {
        let due = worker.next_sample.get();
        // Clients that ask at a steady pace would have the same of them be the
        // first after each tick: another request may be the sample. The very
        // first request is one.
        let is_steady = due > 0 && now < due + SAMPLE_TICKS;
        if now < due || is_steady && fastrand::bool() {
            return;
        }
        worker.next_sample.set(now + SAMPLE_TICKS);
    }
    held.effects.trace.get_or_insert_default();
    held.answerer = Some(Box::new(Answerer {
        asked,
        ..Answerer::default()
    }));
}

/// A second server was asked beside the first, because of these decisions.
pub(crate) fn hedged(held: &mut Held, second: Option<&Arc<Endpoint>>, steps: Vec<Step>) {
    if let Some(trace) = &mut held.effects.trace {
        trace.steps.extend(steps);
    }
    if let Some(answerer) = &mut held.answerer {
        answerer.hedged_to = second.map(|endpoint| endpoint.id.clone());
    }
}

/// Keep what was written down about a request, now that there is an answer with
/// this status and these headers.
#[inline]
pub(crate) fn end(worker: &Worker, held: &mut Held, status: StatusCode, headers: &mut HeaderMap) {
    if let Some(answerer) = held.answerer.take() {
        keep(worker, held, *answerer, (status, headers));
    }
}

#[cold]
fn keep(
    worker: &Worker,
    held: &Held,
    answerer: Answerer,
    (status, headers): (StatusCode, &mut HeaderMap),
) {
    // Spans may be made of it too.
    let trace = held.effects.trace.clone().unwrap_or_default();
    let duration = held.started.elapsed();
    let id = held.id.as_str().to_owned();
    if answerer.asked
        && let Ok(id) = HeaderValue::from_str(&id)
    {
        headers.insert(HEADER, id);
    }
    let explanation = Explanation {
        id,
        at: SystemTime::now() - duration,
        method: held.method().to_owned(),
        authority: held.authority().to_owned(),
        path: held.path().to_owned(),
        pool: answerer.pool,
        endpoint: answerer.endpoint,
        hedged_to: answerer.hedged_to,
        retries: held.tried.len(),
        status: status.as_u16(),
        duration,
        asked: answerer.asked,
        steps: trace.steps,
    };
    worker.explanations.keep(worker.index, explanation);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(number: u64, asked: bool) -> Explanation {
        Explanation {
            id: format!("{number}"),
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(number),
            method: "GET".to_owned(),
            authority: "shop.example".to_owned(),
            path: "/".to_owned(),
            pool: None,
            endpoint: None,
            hedged_to: None,
            retries: 0,
            status: 200,
            duration: Duration::ZERO,
            asked,
            steps: Vec::new(),
        }
    }

    #[test]
    fn samples_do_not_push_out_what_was_asked_for() {
        let explanations = Explanations::new(2, Box::new(|_| false));
        explanations.keep(1, explanation(0, true));
        for number in 1..=SAMPLES as u64 + 1 {
            explanations.keep(1, explanation(number, false));
        }
        assert!(explanations.find("0").is_some());
        assert!(explanations.find("1").is_none());
        let latest = explanations.latest(2);
        assert_eq!(latest.len(), 2);
        assert_eq!(latest[0].id, (SAMPLES + 1).to_string());
    }
}
