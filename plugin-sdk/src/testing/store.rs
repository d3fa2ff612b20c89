//! The fake host's store: the contract's meaning in the plainest form.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use crate::Taken;

/// Values, numbers and token buckets by key.
#[derive(Debug, Default)]
pub struct Store {
    values: BTreeMap<String, Expiring<Vec<u8>>>,
    numbers: BTreeMap<String, Expiring<i64>>,
    buckets: BTreeMap<String, Bucket>,
}

#[derive(Debug)]
struct Expiring<T> {
    value: T,
    /// On the fake host's clock, in nanoseconds; none: never.
    expires_at: Option<u64>,
}

impl<T> Expiring<T> {
    fn new(value: T, ttl_ms: u32, now: u64) -> Self {
        let ttl = u64::from(ttl_ms) * NANOSECONDS_A_MILLISECOND;
        Self {
            value,
            expires_at: (ttl_ms > 0).then_some(now + ttl),
        }
    }

    fn alive(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: u64,
}

const NANOSECONDS_A_MILLISECOND: u64 = 1_000_000;
const NANOSECONDS_A_SECOND: f64 = 1e9;

impl Store {
    /// A value that has not expired.
    pub fn get(&self, key: &str, now: u64) -> Option<Vec<u8>> {
        let entry = self.values.get(key)?;
        entry.alive(now).then(|| entry.value.clone())
    }

    /// Set a value.
    pub fn set(&mut self, key: &str, value: &[u8], ttl_ms: u32, now: u64) {
        let entry = Expiring::new(value.into(), ttl_ms, now);
        self.values.insert(key.into(), entry);
    }

    /// Remove a value, a number and a bucket of that key.
    pub fn remove(&mut self, key: &str) {
        self.values.remove(key);
        self.numbers.remove(key);
        self.buckets.remove(key);
    }

    /// Add to a number and return the sum.
    pub fn add(&mut self, key: &str, delta: i64, ttl_ms: u32, now: u64) -> i64 {
        let entry = self
            .numbers
            .entry(key.into())
            .or_insert_with(|| Expiring::new(0, ttl_ms, now));
        if !entry.alive(now) {
            *entry = Expiring::new(0, ttl_ms, now);
        }
        entry.value += delta;
        entry.value
    }

    /// Take tokens.
    pub fn take(&mut self, key: &str, count: u32, per_second: f64, burst: u32, now: u64) -> Taken {
        let burst = f64::from(burst);
        let bucket = self.buckets.entry(key.into()).or_insert(Bucket {
            tokens: burst,
            filled_at: now,
        });
        let seconds = (now - bucket.filled_at) as f64 / NANOSECONDS_A_SECOND;
        bucket.tokens = (bucket.tokens + seconds * per_second).min(burst);
        bucket.filled_at = now;
        let missing = f64::from(count) - bucket.tokens;
        let wait_ms = match missing <= 0.0 {
            true => {
                bucket.tokens -= f64::from(count);
                0
            }
            // At least 1: 0 would say that the tokens were taken.
            false => (missing / per_second * 1000.0).ceil().max(1.0) as u32,
        };
        let left = bucket.tokens as u32;
        Taken { wait_ms, left }
    }
}

#[cfg(test)]
mod tests {
    use super::Store;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_value_expires_and_a_number_starts_again() {
        let mut store = Store::default();
        store.set("a", b"x", 1000, 0);
        assert_eq!(store.add("n", 2, 1000, 0), 2);
        assert_eq!(store.add("n", 2, 1000, SECOND - 1), 4);
        assert_eq!(store.get("a", SECOND - 1).unwrap(), b"x");
        assert_eq!(store.get("a", SECOND), None);
        assert_eq!(store.add("n", 2, 1000, SECOND), 2);
    }

    #[test]
    fn a_bucket_starts_full_and_refills() {
        let mut store = Store::default();
        let mut take = |count, now| {
            let taken = store.take("b", count, 2.0, 10, now);
            (taken.wait_ms, taken.left)
        };
        assert_eq!(take(9, 0), (0, 1));
        assert_eq!(take(0, 0), (0, 1));
        assert_eq!(take(2, 0), (500, 1));
        assert_eq!(take(2, SECOND / 2), (0, 0));
    }
}
