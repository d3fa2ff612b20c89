//! What of a session table outlives the process.

use std::collections::HashMap;
use std::sync::PoisonError;
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

impl Sessions {
    /// All of them. Each shard is held for as long as its part is copied.
    pub(crate) fn kept(&self) -> Vec<KeptSession> {
        let mut kept = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(shard.iter().map(|(key, entry)| KeptSession {
                key: key.clone(),
                endpoint: entry.endpoint.to_string(),
                idle_ms: millis(entry.idle),
                created_ms: millis(entry.created),
                used_ms: millis(entry.used),
            }));
        }
        kept
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
                shard.insert(session.key.clone(), entry);
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
