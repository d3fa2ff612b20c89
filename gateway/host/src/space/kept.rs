//! What of a binding's values outlives the process.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Entry, SHARD_KEYS, Space, Value};

/// A value as it is kept. Times are milliseconds on the clock of the host that
/// wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptValue {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
    /// When it was changed, on the clock of a cluster.
    #[serde(default, skip_serializing_if = "is_zero")]
    stamp: u64,
    #[serde(flatten)]
    value: Kind,
}

fn is_zero(stamp: &u64) -> bool {
    *stamp == 0
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// In base64.
    Bytes(String),
    Number(i64),
    Bucket {
        tokens: f64,
        at_ms: u64,
    },
}

impl KeptValue {
    fn of(key: &str, entry: &Entry) -> Option<Self> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Some(Self {
            key: key.to_owned(),
            expires_ms: entry.expires.map(millis),
            stamp: entry.stamp,
            value: match &entry.value {
                Value::Bytes(bytes) => Kind::Bytes(STANDARD.encode(bytes.as_slice())),
                Value::Number(number) => Kind::Number(*number),
                Value::Bucket { tokens, at } => Kind::Bucket {
                    tokens: *tokens,
                    at_ms: millis(*at),
                },
                // The common bucket is the cluster's.
                Value::Leased(_) => return None,
            },
        })
    }
}

impl Space {
    /// All values, the oldest of each shard first. A shard is held only while what
    /// is in it is shared, without a copy of any byte.
    pub(crate) fn kept(&self) -> Vec<KeptValue> {
        let mut kept = Vec::new();
        for shard in &self.shards {
            let mut entries: Vec<(Arc<str>, Entry)> = Vec::with_capacity(SHARD_KEYS);
            {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                let shared = shard.entries.iter();
                entries.extend(shared.map(|(key, entry)| (Arc::clone(key), entry.clone())));
            }
            let entries = entries.iter();
            kept.extend(entries.filter_map(|(key, entry)| KeptValue::of(key, entry)));
        }
        kept
    }

    /// Take back what was kept and has not expired meanwhile. `now_of` turns a time
    /// of the other host's clock into one of this one's.
    pub(crate) fn take_back(
        &self,
        kept: &[KeptValue],
        now: Duration,
        now_of: impl Fn(u64) -> Duration,
    ) {
        for one in kept {
            let expires = one.expires_ms.map(&now_of);
            if expires.is_some_and(|expires| expires <= now) {
                continue;
            }
            let value = match &one.value {
                Kind::Bytes(text) => match STANDARD.decode(text) {
                    Ok(bytes) => super::bytes(bytes),
                    Err(_) => continue,
                },
                Kind::Number(number) => Value::Number(*number),
                Kind::Bucket { tokens, at_ms } => Value::Bucket {
                    tokens: *tokens,
                    at: now_of(*at_ms),
                },
            };
            let mut shard = self.shard(&one.key);
            shard.put(&one.key, value, expires, one.stamp);
        }
    }
}
