//! What of a session table outlives the process.

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gatewright_model::id::EndpointId;
use gatewright_model::pool::Pool;
use serde::{Deserialize, Serialize};

use super::{Entry, Sessions};

/// A session as it is kept. Times are milliseconds on the clock of the host that
/// wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptSession {
    key: Box<str>,
    endpoint: String,
    idle_ms: u64,
    created_ms: u64,
    used_ms: u64,
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

impl Sessions {
    /// All of them. Each shard is held only while what is in it is shared, into room
    /// that was made before.
    pub(crate) fn kept(&self) -> impl Iterator<Item = KeptSession> {
        let mut copies: Vec<(Arc<str>, Entry)> = Vec::with_capacity(self.count());
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let shared = shard.iter();
            copies.extend(shared.map(|(key, entry)| (Arc::clone(key), entry.clone())));
        }
        let copies = copies.into_iter();
        copies.map(|(key, entry)| KeptSession::of(&key, &entry))
    }

    /// Take back what was kept, except what belongs to endpoints that are gone.
    /// `now_of` turns a time of the other host's clock into one of this one's.
    pub(crate) fn take_back(
        &self,
        kept: &[KeptSession],
        pool: &Pool,
        now_of: impl Fn(u64) -> Duration,
    ) {
        let endpoints = pool.endpoints();
        let slots: HashMap<_, _> = endpoints
            .map(|endpoint| (endpoint.id.as_str(), endpoint.slot()))
            .collect();
        for session in kept {
            let Some(slot) = slots.get(session.endpoint.as_str()) else {
                continue;
            };
            let mut shard = self.shard(&session.key);
            if shard.len() < super::SHARD_SESSIONS && session.key.len() <= super::KEY_BYTES {
                let entry = Entry {
                    slot: *slot,
                    endpoint: EndpointId::from(session.endpoint.as_str()),
                    idle: Duration::from_millis(session.idle_ms),
                    created: now_of(session.created_ms),
                    used: now_of(session.used_ms),
                };
                shard.insert(Arc::from(&*session.key), entry);
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
