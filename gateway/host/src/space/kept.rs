//! What of a binding's values outlives the process.

use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Space, Value};

/// A value as it is kept. Times are milliseconds on the clock of the host that
/// wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptValue {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
    #[serde(flatten)]
    value: Kind,
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

impl Space {
    /// All values, the oldest of each shard first.
    pub(crate) fn kept(&self) -> Vec<KeptValue> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut kept = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let entries = shard.by_age.values();
            let entries = entries.filter_map(|key| Some((key, shard.entries.get(key)?)));
            kept.extend(entries.map(|(key, entry)| KeptValue {
                key: key.to_string(),
                expires_ms: entry.expires.map(millis),
                value: match &entry.value {
                    Value::Bytes(bytes) => Kind::Bytes(STANDARD.encode(bytes)),
                    Value::Number(number) => Kind::Number(*number),
                    Value::Bucket { tokens, at } => Kind::Bucket {
                        tokens: *tokens,
                        at_ms: millis(*at),
                    },
                },
            }));
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
                    Ok(bytes) => Value::Bytes(bytes),
                    Err(_) => continue,
                },
                Kind::Number(number) => Value::Number(*number),
                Kind::Bucket { tokens, at_ms } => Value::Bucket {
                    tokens: *tokens,
                    at: now_of(*at_ms),
                },
            };
            self.shard(&one.key).put(&one.key, value, expires);
        }
    }
}
