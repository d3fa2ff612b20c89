//! What of a session table outlives the process.

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gatewright_model::pool::Pool;
use serde::{Deserialize, Serialize};

use super::{Entry, KEY_BYTES, SHARD_SESSIONS, SHARDS, Sessions, millis};

/// A session as it is kept. Times are milliseconds on the clock of the host that
/// wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptSession {
    pub(super) key: Box<str>,
    pub(super) endpoint: String,
    pub(super) idle_ms: u64,
    pub(super) created_ms: u64,
    pub(super) used_ms: u64,
    /// When it was set, on the clock of a cluster.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) stamp: u64,
}

fn is_zero(stamp: &u64) -> bool {
    *stamp == 0
}

/// What may be lost of the time for which a session was idle, at most. A tenth of
/// its idle time if that is less.
const LOST_MS: u64 = 60_000;

impl KeptSession {
    fn of(key: &str, entry: &Entry) -> Self {
        Self {
            key: key.into(),
            endpoint: entry.endpoint.to_string(),
            idle_ms: millis(entry.idle),
            created_ms: millis(entry.created),
            used_ms: millis(entry.used),
            stamp: entry.stamp,
        }
    }

    /// What is worth writing when it has changed: all of it, but when it was used
    /// counts in steps only.
    pub(crate) fn tell(&self, told: &mut impl Hasher) {
        let step = (self.idle_ms / 10).clamp(1, LOST_MS);
        (&self.key, &self.endpoint).hash(told);
        (self.idle_ms, self.created_ms, self.used_ms / step).hash(told);
    }
}

/// How long sessions of before wait for endpoints that are not there yet, as those
/// by a name that was not found in time: that is looked up again after half a
/// minute at the latest.
const WAIT: Duration = Duration::from_secs(300);

/// Sessions that wait at most: as many as a table has room for.
const MOST_WAITING: usize = SHARDS * SHARD_SESSIONS;

/// Sessions of before whose endpoints are not there, or not yet. Their times are on
/// this host's clock.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    sessions: HashMap<Box<str>, KeptSession>,
    until: Duration,
}

impl Waiting {
    /// Forget those that have waited or been idle for too long.
    fn forget(&mut self, now: Duration) {
        if now > self.until {
            self.sessions = HashMap::new();
        }
        let now_ms = millis(now);
        self.sessions
            .retain(|_, session| now_ms.saturating_sub(session.used_ms) <= session.idle_ms);
    }
}

impl Sessions {
    /// All of them, those included that still wait. Each shard is held only while
    /// what is in it is shared, into room that was made before.
    pub(crate) fn kept(&self, now: Duration) -> impl Iterator<Item = KeptSession> {
        // Before the table: who comes to it meanwhile is there twice rather than not.
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.forget(now);
            waiting.sessions.values().cloned().collect::<Vec<_>>()
        };
        let mut copies: Vec<(Arc<str>, Entry)> = Vec::with_capacity(self.count());
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let shared = shard.entries.iter();
            copies.extend(shared.map(|(key, entry)| (Arc::clone(key), entry.clone())));
        }
        let copies = copies.into_iter();
        let copies = copies.map(|(key, entry)| KeptSession::of(&key, &entry));
        copies.chain(waiting)
    }

    /// Take back what was kept. What belongs to endpoints that are not there waits
    /// for them. `now_of` turns a time of the other host's clock into one of this
    /// one's.
    pub(crate) fn take_back(
        &self,
        kept: &[KeptSession],
        pool: &Pool,
        now: Duration,
        now_of: impl Fn(u64) -> Duration,
    ) {
        let short = kept.iter().filter(|one| one.key.len() <= KEY_BYTES);
        let sessions = short.take(MOST_WAITING).map(|one| {
            let session = KeptSession {
                created_ms: millis(now_of(one.created_ms)),
                used_ms: millis(now_of(one.used_ms)),
                ..one.clone()
            };
            (session.key.clone(), session)
        });
        let waiting = Waiting {
            sessions: sessions.collect(),
            until: now.saturating_add(WAIT),
        };
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
        self.seat_waiting(pool, now);
    }

    /// Have a session wait that another gateway knows, while there is room.
    pub(super) fn wait_for_endpoint(&self, session: KeptSession, now: Duration) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.sessions.len() < MOST_WAITING {
            waiting.until = now.saturating_add(WAIT);
            waiting.sessions.insert(session.key.clone(), session);
        }
    }

    /// There is other news of a session.
    pub(super) fn wait_no_more(&self, key: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.sessions.remove(key);
    }

    /// Give those that wait to their endpoints, where these are there now. What was
    /// learned of a session meanwhile is newer, and stays.
    pub(crate) fn seat_waiting(&self, pool: &Pool, now: Duration) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.forget(now);
        if waiting.sessions.is_empty() {
            return;
        }
        let endpoints = pool.endpoints();
        let endpoints: HashMap<_, _> = endpoints
            .map(|endpoint| (endpoint.id.as_str(), endpoint))
            .collect();
        waiting.sessions.retain(|_, session| {
            let Some(endpoint) = endpoints.get(session.endpoint.as_str()) else {
                return true;
            };
            let mut shard = self.shard(&session.key);
            let entries = &mut shard.entries;
            if entries.len() < SHARD_SESSIONS && !entries.contains_key(&*session.key) {
                let entry = Entry {
                    slot: endpoint.slot(),
                    endpoint: endpoint.id.clone(),
                    idle: Duration::from_millis(session.idle_ms),
                    created: Duration::from_millis(session.created_ms),
                    used: Duration::from_millis(session.used_ms),
                    stamp: session.stamp,
                    told: Duration::from_millis(session.used_ms),
                };
                entries.insert(Arc::from(&*session.key), entry);
            }
            false
        });
    }
}
