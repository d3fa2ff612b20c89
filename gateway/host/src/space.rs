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
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::binding::Estate;
use crate::contract::imports::store::Taken;
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
    hasher: RandomState,
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
    /// A space over that of another, which it leaves as it is.
    pub(crate) fn over(under: &Arc<Estate>) -> Self {
        Self {
            under: Some(Arc::clone(under)),
            ..Self::default()
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
        let shard = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[shard]
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Duration = Duration::from_secs(100);

    fn after(ms: u64) -> Duration {
        NOW + Duration::from_millis(ms)
    }

    #[test]
    fn a_value_lives_as_long_as_it_was_given() {
        let space = Space::default();
        assert!(space.set("short", b"1".to_vec(), 50, NOW));
        assert!(space.set("long", b"2".to_vec(), 0, NOW));
        assert_eq!(space.get("short", after(49)), Some(b"1".to_vec()));
        assert_eq!(space.get("short", after(50)), None);
        assert_eq!(
            space.get("long", after(u32::MAX.into())),
            Some(b"2".to_vec())
        );
        space.remove("long");
        assert_eq!(space.get("long", NOW), None);
    }

    #[test]
    fn a_sum_lives_from_its_first_addition() {
        let space = Space::default();
        assert_eq!(space.add("n", 2, 50, NOW), 2);
        assert_eq!(space.add("n", 3, 50, after(40)), 5);
        assert_eq!(space.get("n", after(40)), Some(b"5".to_vec()));
        assert_eq!(space.add("n", 1, 50, after(50)), 1);
    }

    #[test]
    fn a_value_of_digits_can_be_added_to() {
        let space = Space::default();
        space.set("n", b"40".to_vec(), 0, NOW);
        assert_eq!(space.add("n", 2, 0, NOW), 42);
        space.remove("n");
        assert!(
            space
                .shards
                .iter()
                .all(|shard| shard.lock().unwrap().bytes == 0)
        );
    }

    #[test]
    fn a_swap_needs_the_expected_value() {
        let space = Space::default();
        let to = |value: &[u8]| (value.to_vec(), 0);
        assert!(!space.compare_and_swap("k", Some(b"a"), to(b"b"), NOW));
        assert!(space.compare_and_swap("k", None, to(b"a"), NOW));
        assert!(!space.compare_and_swap("k", None, to(b"b"), NOW));
        assert!(space.compare_and_swap("k", Some(b"a"), to(b"b"), NOW));
        assert_eq!(space.get("k", NOW), Some(b"b".to_vec()));
    }

    #[test]
    fn a_bucket_says_how_long_to_wait() {
        let space = Space::default();
        let bucket = (10.0, 5);
        let take = |key, count, now| {
            let taken = space.take(key, count, bucket, now);
            (taken.wait_ms, taken.left)
        };
        assert_eq!(take("b", 4, NOW), (0, 1));
        assert_eq!(take("b", 2, NOW), (100, 1));
        assert_eq!(take("b", 2, after(100)), (0, 0));
        assert_eq!(take("b", 1, after(100)), (100, 0));
        let left = [199, 200, 9000].map(|ms| take("b", 0, after(ms)).1);
        assert_eq!(left, [0, 1, 5]);
        assert_eq!(take("new", 0, NOW), (0, 5));
        assert_eq!(take("b", 6, after(9000)), (u32::MAX, 5));
        let never = space.take("never", 1, (0.0, 0), NOW);
        assert_eq!((never.wait_ms, never.left), (u32::MAX, 0));
    }

    #[test]
    fn a_full_shard_drops_its_oldest() {
        let mut shard = Shard::default();
        for key in 0..=SHARD_KEYS {
            assert!(shard.put(&key.to_string(), Value::Number(1), None));
        }
        assert_eq!(shard.entries.len(), SHARD_KEYS);
        assert!(shard.live("0", NOW).is_none() && shard.live("1", NOW).is_some());
        let large = || bytes(vec![0; ENTRY_BYTES - 1]);
        for key in 0..9 {
            assert!(shard.put(&key.to_string(), large(), None));
            assert!(shard.bytes <= SHARD_BYTES);
        }
        assert!(!shard.put("larger", large(), None));
    }

    #[test]
    fn a_space_over_another_sees_it_and_leaves_it_alone() {
        let under = Arc::new(Estate::default());
        under.space.set("seen", b"below".to_vec(), 0, after(0));
        under.space.add("count", 5, 0, after(0));
        let over = Space::over(&under);
        assert_eq!(over.get("seen", after(0)).unwrap(), b"below");
        under.space.set("seen", b"later".to_vec(), 0, after(0));
        assert_eq!(over.get("seen", after(0)).unwrap(), b"later");

        assert_eq!(over.add("count", 1, 0, after(0)), 6);
        over.remove("seen");
        assert_eq!(over.get("seen", after(0)), None);
        assert_eq!(under.space.get("seen", after(0)).unwrap(), b"later");
        assert_eq!(under.space.get("count", after(0)).unwrap(), b"5");
    }

    proptest! {
        /// However it is asked, a bucket never gives more than its burst and
        /// what it gained since.
        #[test]
        fn a_bucket_never_gives_more_than_it_gained(
            asks in prop::collection::vec((0u64..200, 1u32..4), 1..100),
            per_second in 1u32..50,
            burst in 4u32..20,
        ) {
            let space = Space::default();
            let (mut elapsed, mut given) = (0, 0);
            for (wait, count) in asks {
                elapsed += wait;
                let taken = space.take("b", count, (per_second.into(), burst), after(elapsed));
                given += if taken.wait_ms == 0 { count } else { 0 };
                let gained = f64::from(per_second) * elapsed as f64 / 1000.0;
                prop_assert!(f64::from(given) <= f64::from(burst) + gained + 1e-6);
            }
        }
    }
}
