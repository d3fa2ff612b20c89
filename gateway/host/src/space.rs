//! The values of one binding's `store`: shared by all workers, outliving
//! instances and versions, bounded.
//!
//! A shadow's space lies over that of the one who decides: it sees the other's
//! values, and what it changes is its own.
//!
//! In a cluster the space is this gateway's replica of what all of them share: what
//! is changed here is noted for the exchange, and what others changed comes in
//! (`space/shared.rs`).
//!
//! Sharded by key so that workers seldom meet at a lock. Every operation takes
//! the present time, so that expiry can be tested and simulated.

mod kept;
mod shared;

use std::collections::HashSet;
use std::hash::RandomState;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::LinkedHashMap;

use crate::binding::Estate;
use crate::contract::imports::store::Taken;
use crate::lease::Rate;
use crate::replica::{Notes, Replica};
use crate::spread::Spread;
pub(crate) use kept::KeptValue;
use shared::{Leased, Note};

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
    /// Where what is changed is noted; none where it is shared with nobody.
    replica: Option<Arc<Replica>>,
}

#[derive(Debug, Default)]
struct Shard {
    /// The oldest first. Clients choose keys, so that the hasher is one that they
    /// cannot play with.
    entries: LinkedHashMap<Arc<str>, Entry, RandomState>,
    bytes: usize,
    /// In a space that lies over another: the keys that are its own business.
    own: HashSet<Arc<str>>,
    /// What the exchange is to tell.
    notes: Notes<Note>,
    /// The buckets of which something may be leased.
    leased: HashSet<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    /// On the clock of the caller; none: never.
    expires: Option<Duration>,
    /// When it was changed, on the cluster's clock; 0 outside of one.
    stamp: u64,
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
    /// What this gateway has of a bucket that a cluster shares.
    Leased(Box<Leased>),
}

impl Value {
    /// The value as `get` shows it: a number as decimal digits; a bucket is
    /// no value.
    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes.to_vec()),
            Self::Number(number) => Some(number.to_string().into_bytes()),
            Self::Bucket { .. } | Self::Leased(_) => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Number(_) | Self::Bucket { .. } => 16,
            Self::Leased(_) => size_of::<Leased>(),
        }
    }
}

impl Entry {
    fn is_over(&self, now: Duration) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
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
        self.put(&mut shard, key, bytes(value), expiry(ttl_ms, now), now)
    }

    /// Remove a value.
    pub(crate) fn remove(&self, key: &str, now: Duration) {
        let mut shard = self.shard_to_change(key);
        let stamp = self.stamp(&shard, key, now);
        if shard.remove(key) {
            self.note(&mut shard, key, Note::Removed(stamp));
        }
    }

    /// Add to a number (0 when absent, or when the value is not one) and
    /// return the sum. The time to live counts from the first addition.
    pub(crate) fn add(&self, key: &str, delta: i64, ttl_ms: u32, now: Duration) -> i64 {
        let mut shard = self.shard_to_change(key);
        let stamp = self.stamp(&shard, key, now);
        let Some(entry) = shard.live(key, now) else {
            self.begin(&mut shard, key, delta, expiry(ttl_ms, now), stamp);
            return delta;
        };
        let expires = entry.expires;
        let sum = number(&entry.value).unwrap_or(0).saturating_add(delta);
        match &mut entry.value {
            Value::Number(number) => {
                *number = sum;
                entry.stamp = stamp;
                self.note(&mut shard, key, Note::Added(delta));
            }
            Value::Bytes(_) | Value::Bucket { .. } | Value::Leased(_) => {
                self.put(&mut shard, key, Value::Number(sum), expires, now);
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
        present.as_deref() == expected
            && self.put(&mut shard, key, bytes(value), expiry(ttl_ms, now), now)
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
        let rate = Rate::of(per_second, burst);
        let count = f64::from(count);
        if let Some(replica) = &self.replica {
            return self.take_leased(replica, key, count, rate, now);
        }
        let Rate { per_second, burst } = rate;
        let mut shard = self.shard_to_change(key);
        let known = shard.entries.to_back(key);
        let level = level(known.as_deref(), rate, now);
        let taken = count <= level;
        let tokens = if taken { level - count } else { level };
        // A bucket that is full again is as good as absent.
        let until_full = Duration::try_from_secs_f64((burst - tokens) / per_second).ok();
        let expires = until_full.and_then(|duration| now.checked_add(duration));
        let value = Value::Bucket { tokens, at: now };
        match known {
            // It is as large as before, and need not be found once more.
            Some(entry) if matches!(entry.value, Value::Bucket { .. }) => {
                *entry = Entry {
                    value,
                    expires,
                    stamp: 0,
                };
            }
            _ => {
                shard.put(key, value, expires, 0);
            }
        }
        let wait_ms = match taken {
            true => 0,
            false if count > burst => u32::MAX,
            false => rate.wait_ms(count - tokens),
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
                shard.put(key, value, expires, 0);
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

impl Shard {
    /// An entry that has not expired; one that has is removed.
    fn live(&mut self, key: &str, now: Duration) -> Option<&mut Entry> {
        if self.entries.get(key)?.is_over(now) {
            self.remove(key);
            return None;
        }
        self.entries.get_mut(key)
    }

    fn put(&mut self, key: &str, value: Value, expires: Option<Duration>, stamp: u64) -> bool {
        let size = key.len() + value.size();
        if size > ENTRY_BYTES {
            return false;
        }
        let entry = Entry {
            value,
            expires,
            stamp,
        };
        match self.entries.to_back(key) {
            Some(known) => {
                let before = mem::replace(known, entry);
                self.bytes -= key.len() + before.value.size();
            }
            None => {
                if self.entries.len() >= SHARD_KEYS {
                    self.remove_oldest();
                }
                self.entries.insert(key.into(), entry);
            }
        }
        self.bytes += size;
        while self.bytes > SHARD_BYTES {
            self.remove_oldest();
        }
        true
    }

    fn remove_oldest(&mut self) {
        if let Some((key, entry)) = self.entries.pop_front() {
            self.bytes -= key.len() + entry.value.size();
        }
    }

    /// Returns whether there was one.
    fn remove(&mut self, key: &str) -> bool {
        let Some(entry) = self.entries.remove(key) else {
            return false;
        };
        self.bytes -= key.len() + entry.value.size();
        true
    }
}

/// How many tokens a bucket holds now.
fn level(known: Option<&Entry>, rate: Rate, now: Duration) -> f64 {
    let known = known.filter(|entry| !entry.is_over(now));
    match known.map(|entry| &entry.value) {
        Some(Value::Bucket { tokens, at }) => rate.after(*tokens, now.saturating_sub(*at)),
        Some(Value::Leased(leased)) => leased.lease.held().min(rate.burst),
        _ => rate.burst,
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
        Value::Bucket { .. } | Value::Leased(_) => None,
    }
}

#[cfg(test)]
mod tests;
