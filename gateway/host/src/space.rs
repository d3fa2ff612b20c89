//! The values of one binding's `store`: shared by all workers, outliving
//! instances and versions, bounded.
//!
//! A shadow's space lies over that of the one who decides: it sees the other's
//! values, and what it changes is its own.
//!
//! Sharded by key so that workers seldom meet at a lock. Every operation takes
//! the present time, so that expiry can be tested and simulated.

mod kept;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::binding::Estate;
use crate::contract::imports::store::Taken;
use crate::spread::Spread;
pub(crate) use kept::KeptValue;

const SHARDS: usize = 16;

/// Keys of a shard: about 64 thousand in the whole space.
const SHARD_KEYS: usize = 4096;

/// Bytes of keys and values in a shard: 16 MiB in the whole space.
const SHARD_BYTES: usize = 1 << 20;

/// Bytes of one key and its value: a quarter of a shard.
const ENTRY_BYTES: usize = SHARD_BYTES / 4;

/// The values of one binding.
#[derive(Debug, Default)]
pub(crate) struct Space {
    spread: Spread,
    shards: [Mutex<Shard>; SHARDS],
    /// Whose values are seen where this space has none of its own.
    under: Option<Arc<Estate>>,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<Arc<str>, Entry>,
    /// Keys by age, to find the oldest.
    by_age: BTreeMap<u64, Arc<str>>,
    next_age: u64,
    bytes: usize,
    /// In a space that lies over another: the keys that are its own business.
    own: HashSet<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    /// On the clock of the caller; none: never.
    expires: Option<Duration>,
    age: u64,
}

#[derive(Clone, Debug)]
enum Value {
    /// Shared with whoever copies it to keep it, and never changed.
    Bytes(Arc<Vec<u8>>),
    Number(i64),
    /// A token bucket's level at a time.
    Bucket {
        tokens: f64,
        at: Duration,
    },
}

impl Value {
    /// The value as `get` shows it: a number as decimal digits; a bucket is
    /// no value.
    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes.to_vec()),
            Self::Number(number) => Some(number.to_string().into_bytes()),
            Self::Bucket { .. } => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Number(_) | Self::Bucket { .. } => 16,
        }
    }
}

impl Space {
    /// A space with nothing in it.
    pub(crate) fn new(spread: Spread) -> Self {
        Self {
            spread,
            ..Self::default()
        }
    }

    /// A space over that of another, which it leaves as it is.
    pub(crate) fn over(under: &Arc<Estate>) -> Self {
        Self {
            under: Some(Arc::clone(under)),
            ..Self::new(under.space.spread.clone())
        }
    }

    /// A value, unless it is absent or has expired.
    pub(crate) fn get(&self, key: &str, now: Duration) -> Option<Vec<u8>> {
        let mut shard = self.shard(key);
        if let Some(under) = &self.under
            && !shard.own.contains(key)
        {
            return under.space.get(key, now);
        }
        shard.live(key, now)?.value.bytes()
    }

    /// Set a value; returns whether it is small enough to be kept.
    pub(crate) fn set(&self, key: &str, value: Vec<u8>, ttl_ms: u32, now: Duration) -> bool {
        let mut shard = self.shard_to_change(key);
        shard.put(key, bytes(value), expiry(ttl_ms, now))
    }

    /// Remove a value.
    pub(crate) fn remove(&self, key: &str) {
        self.shard_to_change(key).remove(key);
    }

    /// Add to a number (0 when absent, or when the value is not one) and
    /// return the sum. The time to live counts from the first addition.
    pub(crate) fn add(&self, key: &str, delta: i64, ttl_ms: u32, now: Duration) -> i64 {
        let mut shard = self.shard_to_change(key);
        let Some(entry) = shard.live(key, now) else {
            shard.put(key, Value::Number(delta), expiry(ttl_ms, now));
            return delta;
        };
        let expires = entry.expires;
        let sum = number(&entry.value).unwrap_or(0).saturating_add(delta);
        match &mut entry.value {
            Value::Number(number) => *number = sum,
            Value::Bytes(_) | Value::Bucket { .. } => {
                shard.put(key, Value::Number(sum), expires);
            }
        }
        sum
    }

    /// Set `value` only if the present value is `expected`; returns whether it
    /// did.
    pub(crate) fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        (value, ttl_ms): (Vec<u8>, u32),
        now: Duration,
    ) -> bool {
        let mut shard = self.shard_to_change(key);
        let present = shard.live(key, now).and_then(|entry| entry.value.bytes());
        present.as_deref() == expected && shard.put(key, bytes(value), expiry(ttl_ms, now))
    }

    /// Take tokens from a bucket that holds at most `burst` and gains
    /// `per_second`; it starts full.
    pub(crate) fn take(
        &self,
        key: &str,
        count: u32,
        (per_second, burst): (f64, u32),
        now: Duration,
    ) -> Taken {
        let per_second = rate(per_second);
        let (count, burst) = (f64::from(count), f64::from(burst));
        let mut shard = self.shard_to_change(key);
        let level = shard.level(key, (per_second, burst), now);
        let taken = count <= level;
        let tokens = if taken { level - count } else { level };
        // A bucket that is full again is as good as absent.
        let until_full = Duration::try_from_secs_f64((burst - tokens) / per_second).ok();
        let expires = until_full.and_then(|duration| now.checked_add(duration));
        shard.put(key, Value::Bucket { tokens, at: now }, expires);
        let wait_ms = match taken {
            true => 0,
            false if count > burst || per_second == 0.0 => u32::MAX,
            // A float that is too large for the integer becomes the largest.
            false => (((count - tokens) / per_second * 1000.0).ceil() as u32).max(1),
        };
        let left = tokens as u32;
        Taken { wait_ms, left }
    }

    /// The shard of a key, which is from now on this space's own business.
    fn shard_to_change(&self, key: &str) -> MutexGuard<'_, Shard> {
        let mut shard = self.shard(key);
        if let Some(under) = &self.under
            && !shard.own.contains(key)
        {
            if shard.own.len() == SHARD_KEYS {
                // Nothing here counts: begin anew rather than grow.
                *shard = Shard::default();
            }
            shard.own.insert(key.into());
            let below = under.space.shard(key).entries.get(key).cloned();
            if let Some(Entry { value, expires, .. }) = below {
                shard.put(key, value, expires);
            }
        }
        shard
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        self.shards[self.spread.shard(key, SHARDS)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A rate that a plugin asks for, where it makes sense.
fn rate(per_second: f64) -> f64 {
    match per_second.is_finite() {
        true => per_second.max(0.0),
        false => 0.0,
    }
}

impl Shard {
    /// How many tokens a bucket holds now.
    fn level(&mut self, key: &str, (per_second, burst): (f64, f64), now: Duration) -> f64 {
        match self.live(key, now).map(|entry| &entry.value) {
            Some(Value::Bucket { tokens, at }) => {
                let gained = now.saturating_sub(*at).as_secs_f64() * per_second;
                (tokens + gained).min(burst)
            }
            _ => burst,
        }
    }

    /// An entry that has not expired; one that has is removed.
    fn live(&mut self, key: &str, now: Duration) -> Option<&mut Entry> {
        let expires = self.entries.get(key)?.expires;
        if expires.is_some_and(|expires| expires <= now) {
            self.remove(key);
            return None;
        }
        self.entries.get_mut(key)
    }

    fn put(&mut self, key: &str, value: Value, expires: Option<Duration>) -> bool {
        let size = key.len() + value.size();
        if size > ENTRY_BYTES {
            return false;
        }
        self.remove(key);
        while self.entries.len() >= SHARD_KEYS || self.bytes + size > SHARD_BYTES {
            let Some((_, oldest)) = self.by_age.first_key_value() else {
                break;
            };
            let oldest = Arc::clone(oldest);
            self.remove(&oldest);
        }
        let key: Arc<str> = key.into();
        let age = self.next_age;
        self.next_age += 1;
        self.bytes += size;
        self.by_age.insert(age, Arc::clone(&key));
        self.entries.insert(
            key,
            Entry {
                value,
                expires,
                age,
            },
        );
        true
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_age.remove(&entry.age);
            self.bytes -= key.len() + entry.value.size();
        }
    }
}

fn expiry(ttl_ms: u32, now: Duration) -> Option<Duration> {
    match ttl_ms {
        0 => None,
        _ => now.checked_add(Duration::from_millis(ttl_ms.into())),
    }
}

fn bytes(bytes: Vec<u8>) -> Value {
    Value::Bytes(Arc::new(bytes))
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        Value::Bucket { .. } => None,
    }
}

#[cfg(test)]
mod tests;
