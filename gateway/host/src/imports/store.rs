//! `store`: values that all workers share.

use crate::contract::imports::store::{Host, Taken};
use crate::guest::Guest;

impl Guest {
    /// `take`, of a key that nobody need have a copy of.
    pub(crate) fn taken(&mut self, key: &str, count: u32, rate: (f64, u32)) -> Taken {
        let now = self.binding.now();
        let Taken { wait_ms, left } = self.binding.space().take(key, count, rate, now);
        let (per_second, burst) = rate;
        let asked = (key, count, per_second, burst);
        let (wait_ms, left) = self.heard("store.take", &asked, (wait_ms, left));
        Taken { wait_ms, left }
    }

    fn note_kept(&self, key: &str, kept: bool) {
        if !kept {
            self.warn(format!(
                "store: the value of {key:?} is too large to be kept"
            ));
        }
    }
}

impl Host for Guest {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        let value = self.binding.space().get(&key, self.binding.now());
        self.heard("store.get", &key, value)
    }

    fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: u32) {
        let now = self.binding.now();
        let kept = self.binding.space().set(&key, value, ttl_ms, now);
        self.note_kept(&key, kept);
    }

    fn remove(&mut self, key: String) {
        let now = self.binding.now();
        self.binding.space().remove(&key, now);
    }

    fn add(&mut self, key: String, delta: i64, ttl_ms: u32) -> i64 {
        let now = self.binding.now();
        let sum = self.binding.space().add(&key, delta, ttl_ms, now);
        self.heard("store.add", &(key, delta), sum)
    }

    fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: u32,
    ) -> bool {
        let now = self.binding.now();
        let space = self.binding.space();
        let swapped = space.compare_and_swap(&key, expected.as_deref(), (value, ttl_ms), now);
        self.heard("store.compare-and-swap", &(key, expected), swapped)
    }

    fn take(&mut self, key: String, count: u32, per_second: f64, burst: u32) -> Taken {
        self.taken(&key, count, (per_second, burst))
    }
}
