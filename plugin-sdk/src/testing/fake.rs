//! What the fake host holds: all fields are open, to be set before a call and
//! read after it.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use super::Store;
use crate::log::Level;
use crate::{Generator, Report, Slot};

/// The whole of the fake host.
#[derive(Debug)]
pub struct Host {
    /// What `request` tells.
    pub request: RequestHead,
    /// What `response` reads and collects.
    pub response: ResponseHead,
    /// What `rewrite` collected.
    pub rewrites: Rewrites,
    /// What `advice` collected.
    pub advice: Advice,
    /// What `log` collected.
    pub log: Vec<(Level, String)>,
    /// What `load::active` tells, by slot.
    pub active: Vec<u32>,
    /// What `load::response_time` tells, by slot, in microseconds.
    pub response_times: Vec<u32>,
    /// What `load::reported` tells.
    pub reports: BTreeMap<Slot, Report>,
    /// What `endpoints::label` tells.
    pub labels: BTreeMap<(Slot, String), String>,
    /// The pools by index: their names and how many endpoints are available.
    pub pools: Vec<(String, u32)>,
    /// What `store` keeps.
    pub store: Store,
    /// What `sessions` keeps.
    pub sessions: BTreeMap<String, Slot>,
    /// The seconds without use that `sessions` keeps each.
    pub session_idle: BTreeMap<String, u32>,
    /// What `clock::now` tells, in nanoseconds; `store` expires by it.
    pub now: u64,
    /// What `clock::unix_ms` tells.
    pub unix_ms: u64,
    /// What `random::next` draws from.
    pub random: Generator,
    /// What `metrics::count` added up.
    pub counters: BTreeMap<String, u64>,
    /// What `metrics::gauge` was last set to.
    pub gauges: BTreeMap<String, f64>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            request: RequestHead::default(),
            response: ResponseHead::default(),
            rewrites: Rewrites::default(),
            advice: Advice::default(),
            log: Vec::new(),
            active: Vec::new(),
            response_times: Vec::new(),
            reports: BTreeMap::new(),
            labels: BTreeMap::new(),
            pools: Vec::new(),
            store: Store::default(),
            sessions: BTreeMap::new(),
            session_idle: BTreeMap::new(),
            now: 0,
            unix_ms: 0,
            random: Generator::seeded(1),
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
        }
    }
}

impl Host {
    /// Give the request a header, beside those of its name.
    pub fn header(&mut self, name: &str, value: &str) {
        self.request.headers.push((name.into(), value.into()));
    }

    /// Give the request a cookie, in place of one of its name.
    pub fn cookie(&mut self, name: &str, value: &str) {
        self.request.cookies.insert(name.into(), value.into());
    }

    /// Add a pool with `available` endpoints; its index is how many there were.
    pub fn pool(&mut self, name: &str, available: u32) {
        self.pools.push((name.into(), available));
    }
}

/// The request that is being decided.
#[derive(Debug)]
pub struct RequestHead {
    /// The id.
    pub id: String,
    /// The method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host, with a port if the client named one.
    pub authority: String,
    /// The path without the query.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whether a body follows.
    pub has_body: bool,
    /// Values by name.
    pub cookies: BTreeMap<String, String>,
    /// Address without port.
    pub client_address: String,
    /// The slots of earlier attempts; the attempt's number follows from them.
    pub tried: Vec<Slot>,
}

impl Default for RequestHead {
    fn default() -> Self {
        Self {
            id: "0123456789abcdef0123456789abcdef".into(),
            method: "GET".into(),
            scheme: "http".into(),
            authority: "localhost".into(),
            path: "/".into(),
            query: None,
            headers: Vec::new(),
            has_body: false,
            cookies: BTreeMap::new(),
            client_address: "192.0.2.1".into(),
            tried: Vec::new(),
        }
    }
}

/// The response's head and what was done to it.
#[derive(Debug, Default)]
pub struct ResponseHead {
    /// 0 while there is no response.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// Whole values of `Set-Cookie`.
    pub cookies: Vec<String>,
    /// The body of a direct answer.
    pub answer: Option<Answer>,
}

/// The body of a direct answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// What the server will see instead.
#[derive(Debug, Default)]
pub struct Rewrites {
    /// The path.
    pub path: Option<String>,
    /// The query: set to some text, or removed.
    pub query: Option<Option<String>>,
    /// The host.
    pub authority: Option<String>,
    /// Headers set (some text) or removed (none), in order.
    pub headers: Vec<(String, Option<String>)>,
    /// Headers added beside others of their name, in order.
    pub appended: Vec<(String, String)>,
}

/// What went along with the decision.
#[derive(Debug, Default)]
pub struct Advice {
    /// The endpoint for the next attempt.
    pub second_choice: Option<Slot>,
    /// Why it was decided so.
    pub reason: Option<String>,
    /// The whole request's limit in milliseconds.
    pub timeout: Option<u32>,
    /// How many more endpoints may be asked.
    pub retries: Option<u32>,
    /// After how many milliseconds a second one is.
    pub hedge_after: Option<u32>,
    /// Whether `bind` is to be called for the endpoint that `lookup` names.
    pub call_bind: bool,
}
