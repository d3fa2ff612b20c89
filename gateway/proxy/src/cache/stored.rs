//! Kept answers: one, and all that are kept for one URL.

use std::mem::size_of;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_model::id::PoolName;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::freshness::Freshness;
use super::told::tells_apart;

/// Answers that are kept for one URL, told apart by what `Vary` names. A server that
/// varies by what every client has its own of would fill the memory with them.
const MOST_VARIANTS: usize = 32;

/// For how long requests for a URL do not wait for each other once its server has
/// said that the answer is not to be kept.
const APART: Duration = Duration::from_secs(10);

/// What answers are kept for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) pool: PoolName,
    /// What the client asked for, with the path that servers are asked for.
    pub(super) url: Box<str>,
    /// What servers are told of that beside it.
    pub(super) told: Box<str>,
}

/// A whole answer to a GET.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) status: StatusCode,
    /// Without `Age`, with `Date`.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) freshness: Freshness,
    selected_by: Selection,
}

/// What the request had of the headers that `Vary` names (RFC 9111 §4.1).
#[derive(Clone, Debug, Default)]
pub(super) struct Selection(Box<[(HeaderName, Box<[HeaderValue]>)]>);

impl Selection {
    /// What the request has; none where no request can be like another.
    pub(super) fn of(response: &HeaderMap, request: &HeaderMap) -> Option<Self> {
        let mut selected = Vec::new();
        for list in response.get_all(header::VARY) {
            for name in list.as_bytes().split(|byte| *byte == b',') {
                let name = name.trim_ascii();
                if name.is_empty() {
                    continue;
                }
                // `*` is no name; whatever else is none is not understood either.
                if name == b"*" {
                    return None;
                }
                let name = HeaderName::from_bytes(name).ok()?;
                if is_written_here(&name) {
                    return None;
                }
                let values = request.get_all(&name).iter().cloned().collect();
                selected.push((name, values));
            }
        }
        Some(Self(selected.into()))
    }

    fn fits(&self, request: &HeaderMap) -> bool {
        self.0
            .iter()
            .all(|(name, values)| request.get_all(name).iter().eq(values))
    }

    fn is_like(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn weight(&self) -> usize {
        let values = self.0.iter().flat_map(|(_, values)| values);
        let values: usize = values
            .map(|value| value.len() + size_of::<HeaderValue>())
            .sum();
        values + self.0.len() * size_of::<(HeaderName, Box<[HeaderValue]>)>()
    }
}

impl Stored {
    pub(super) fn new(
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
        freshness: Freshness,
        selected_by: Selection,
    ) -> Self {
        Self {
            status,
            headers,
            body,
            freshness,
            selected_by,
        }
    }

    /// Its headers after the server has said by others that it is still right
    /// (RFC 9111 §3.2).
    pub(super) fn headers_updated_by(&self, newer: &HeaderMap) -> HeaderMap {
        let mut headers = self.headers.clone();
        for name in newer.keys().filter(|name| is_updated(name)) {
            headers.remove(name);
            for value in newer.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        headers
    }

    /// About what it takes of the memory, in bytes.
    pub(super) fn weight(&self) -> usize {
        // A place in the map's table and one among its values, the name if it is none
        // of the known ones, and the text.
        const FIELD: usize = 2 * (size_of::<HeaderName>() + size_of::<HeaderValue>());
        let fields = self.headers.iter();
        let fields = fields.map(|(name, value)| FIELD + name.as_str().len() + value.len());
        size_of::<Self>() + fields.sum::<usize>() + self.selected_by.weight() + self.body.len()
    }
}

/// Whether servers are sent another value of a header than the request has, one that
/// each client has its own of.
fn is_written_here(name: &HeaderName) -> bool {
    gatewright_wire::is_claim(name) && !tells_apart(name)
}

/// Whether a header of a 304 says something of the kept answer: not what is about its
/// body, which stays.
fn is_updated(name: &HeaderName) -> bool {
    ![
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::CONTENT_TYPE,
        header::CONTENT_RANGE,
        header::AGE,
    ]
    .contains(name)
}

/// All that is kept for one URL.
#[derive(Clone, Debug, Default)]
pub(super) struct Resource {
    /// The latest first.
    variants: SmallVec<[Arc<Stored>; 1]>,
    /// What was asked for before is not kept any more: something has changed it.
    changed: Option<Instant>,
    /// Its server has said that it is not to be kept.
    apart_until: Option<Instant>,
    weight: usize,
}

impl Resource {
    /// The kept answer that fits a request's headers.
    pub(super) fn variant(&self, request: &HeaderMap) -> Option<&Arc<Stored>> {
        let mut variants = self.variants.iter();
        variants.find(|stored| stored.selected_by.fits(request))
    }

    /// Whether any is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.variants.is_empty()
    }

    /// Whether requests for it do not wait for each other.
    pub(super) fn is_apart(&self, now: Instant) -> bool {
        self.apart_until.is_some_and(|until| now < until)
    }

    /// Keep an answer that was asked for at this time, in the place of one like it,
    /// unless something has changed it since; returns whether it is kept.
    pub(super) fn keep(&mut self, stored: &Arc<Stored>, asked: Instant) -> bool {
        if self.changed.is_some_and(|changed| asked <= changed) {
            return false;
        }
        self.apart_until = None;
        self.variants
            .retain(|known| !known.selected_by.is_like(&stored.selected_by));
        self.variants.truncate(MOST_VARIANTS - 1);
        self.variants.insert(0, Arc::clone(stored));
        self.weigh();
        true
    }

    /// Its server has said that it is not to be kept. What was kept before of the
    /// same kind is not used any more either.
    pub(super) fn keep_apart(&mut self, request: &HeaderMap, now: Instant) {
        self.variants
            .retain(|known| !known.selected_by.fits(request));
        self.apart_until = Some(now + APART);
        self.weigh();
    }

    /// Something has changed it.
    pub(super) fn change(&mut self, now: Instant) {
        self.variants.clear();
        self.changed = Some(now);
        self.weigh();
    }

    fn weigh(&mut self) {
        self.weight = self.variants.iter().map(|stored| stored.weight()).sum();
    }

    /// About what it takes of the memory, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.weight + size_of::<Self>()
    }
}
