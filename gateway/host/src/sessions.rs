//! A pool's session table: which endpoint has which session.
//!
//! An entry names its endpoint by slot and by id. A slot goes to another
//! endpoint only under another id, so an entry whose two names disagree is one
//! of an endpoint that is gone, and is dropped when it is met. So is what was idle
//! for too long, which every use of the table looks for in passing: of what is
//! dead, no more stays than comes.
//!
//! In a cluster the table is this gateway's replica of what all of them share
//! (`sessions/shared.rs`).

mod kept;
mod shared;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatewright_model::id::{EndpointId, Slot};
use gatewright_model::pool::Pool;
use indexmap::IndexMap;

use crate::replica::{Notes, Replica};
use crate::spread::Spread;
pub(crate) use kept::KeptSession;
use kept::Waiting;
use shared::Note;

const SHARDS: usize = 16;

/// Sessions of a shard: about 262 thousand in the whole table.
const SHARD_SESSIONS: usize = 16_384;

/// Bytes of a key; a longer one is not remembered.
const KEY_BYTES: usize = 256;

/// Entries that are looked at to find one that has been idle for long.
const EVICTION_SAMPLE: usize = 16;

/// Entries that every use looks at, and drops if their time is over. Each new
/// entry comes with a look at four: a quarter of a table is dead at most, or
/// about that.
const SWEEP_SAMPLE: usize = 4;

/// The sessions of one pool, shared by all workers.
#[derive(Debug, Default)]
pub struct Sessions {
    spread: Spread,
    shards: [Mutex<Shard>; SHARDS],
    /// Those of before, or of others, whose endpoints are not there yet. No worker
    /// takes it.
    waiting: Mutex<Waiting>,
    /// Where what is changed is noted; none where it is shared with nobody.
    replica: Option<Arc<Replica>>,
}

#[derive(Debug, Default)]
struct Shard {
    entries: IndexMap<Arc<str>, Entry>,
    /// What the exchange is to tell.
    notes: Notes<Note>,
    /// What chooses the entries that are looked at.
    random: fastrand::Rng,
}

#[derive(Clone, Debug)]
struct Entry {
    slot: Slot,
    endpoint: EndpointId,
    idle: Duration,
    created: Duration,
    used: Duration,
    /// When it was set, on the cluster's clock; 0 outside of one.
    stamp: u64,
    /// Up to when others have been told that it was used.
    told: Duration,
}

impl Entry {
    fn is_live(&self, pool: &Pool, now: Duration) -> bool {
        let endpoint = pool.endpoint(self.slot);
        endpoint.is_some_and(|endpoint| endpoint.id == self.endpoint) && !self.is_over(now)
    }

    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.used) > self.idle
    }

    /// When it is forgotten, if it is not used before.
    fn ends(&self) -> Duration {
        self.used.saturating_add(self.idle)
    }
}

/// A session as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What the plugin keys it by.
    pub key: Arc<str>,
    /// The endpoint that has it.
    pub endpoint: EndpointId,
    /// How long it has been there.
    pub age: Duration,
    /// How long it has not been used.
    pub idle: Duration,
    /// After how much longer without use it is forgotten.
    pub left: Duration,
}

impl Sessions {
    /// A table with nothing in it.
    pub(crate) fn new(spread: &Spread) -> Self {
        let shard = |number| Shard {
            random: spread.generator(number),
            ..Shard::default()
        };
        Self {
            spread: spread.clone(),
            shards: std::array::from_fn(|number| Mutex::new(shard(number))),
            ..Self::default()
        }
    }

    /// The endpoint of a session; this counts as use.
    pub(crate) fn get(&self, key: &str, pool: &Pool, now: Duration) -> Option<Slot> {
        let mut shard = self.shard(key);
        shard.drop_some(now);
        let entry = shard.entries.get_mut(key)?;
        if entry.is_live(pool, now) {
            entry.used = now;
            let slot = entry.slot;
            self.note_use(&mut shard, key, now);
            return Some(slot);
        }
        shard.entries.swap_remove(key);
        None
    }

    /// The endpoint of a session, for somebody whose looking is no use of it.
    pub(crate) fn peek(&self, key: &str, pool: &Pool, now: Duration) -> Option<Slot> {
        let shard = self.shard(key);
        let entry = shard.entries.get(key);
        let entry = entry.filter(|entry| entry.is_live(pool, now))?;
        Some(entry.slot)
    }

    /// Remember a session; returns whether its endpoint exists and its key is
    /// short enough.
    pub(crate) fn set(
        &self,
        key: &str,
        (slot, idle): (Slot, Duration),
        pool: &Pool,
        now: Duration,
    ) -> bool {
        let Some(endpoint) = pool.endpoint(slot) else {
            return false;
        };
        if key.len() > KEY_BYTES {
            return false;
        }
        let mut shard = self.shard(key);
        shard.drop_some(now);
        if shard.entries.len() >= SHARD_SESSIONS && !shard.entries.contains_key(key) {
            shard.make_room(pool, now);
        }
        let known = shard.entries.get_mut(key);
        let known = known.filter(|entry| entry.is_live(pool, now));
        if let Some(entry) = known
            && entry.slot == slot
            && entry.idle == idle
        {
            entry.used = now;
            self.note_use(&mut shard, key, now);
            return true;
        }
        let known = shard.entries.get(key);
        let known = known.filter(|entry| entry.is_live(pool, now));
        let entry = Entry {
            slot,
            endpoint: endpoint.id.clone(),
            idle,
            created: known.map_or(now, |entry| entry.created),
            used: now,
            stamp: self.stamp(&shard, key, now),
            told: now,
        };
        shard.entries.insert(key.into(), entry);
        self.note(&mut shard, key, Note::Whole);
        true
    }

    /// Forget a session; returns whether there was one. `now` is the host's clock,
    /// [`crate::Host::now`].
    pub fn remove(&self, key: &str, now: Duration) -> bool {
        let mut shard = self.shard(key);
        let stamp = self.stamp(&shard, key, now);
        let was_there = shard.entries.swap_remove(key).is_some();
        if was_there {
            self.note(&mut shard, key, Note::Removed(stamp));
        }
        was_there
    }

    /// Forget what is idle for too long or whose endpoint is gone.
    pub(crate) fn sweep(&self, pool: &Pool, now: Duration) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.entries.retain(|_, entry| entry.is_live(pool, now));
        }
    }

    /// How many sessions are remembered.
    pub fn count(&self) -> usize {
        let shards = self.shards.iter();
        shards
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
            .map(|shard| shard.entries.len())
            .sum()
    }

    /// The sessions that are alive, in no particular order. `now` is the host's
    /// clock, [`crate::Host::now`]. Each shard is held for as long as its part is
    /// copied: a millisecond if it is full.
    pub fn list(&self, pool: &Pool, now: Duration) -> Vec<Session> {
        let mut sessions = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let live = shard.entries.iter();
            let live = live.filter(|(_, entry)| entry.is_live(pool, now));
            sessions.extend(live.map(|(key, entry)| Session {
                key: Arc::clone(key),
                endpoint: entry.endpoint.clone(),
                age: now.saturating_sub(entry.created),
                idle: now.saturating_sub(entry.used),
                left: entry.ends().saturating_sub(now),
            }));
        }
        sessions
    }

    /// How many sessions each endpoint has, by its slot: those that are alive.
    pub fn counts(&self, pool: &Pool, now: Duration) -> Vec<usize> {
        let mut counts = vec![0; pool.width()];
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let entries = shard.entries.values();
            for entry in entries.filter(|entry| entry.is_live(pool, now)) {
                counts[entry.slot.index()] += 1;
            }
        }
        counts
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        self.shards[self.spread.shard(key, SHARDS)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Drop what was idle for too long of a few entries. Those of endpoints that are
    /// gone are left: a worker that does not know of a new one yet would drop its own.
    fn drop_some(&mut self, now: Duration) {
        let Self {
            entries, random, ..
        } = self;
        for _ in 0..SWEEP_SAMPLE.min(entries.len()) {
            let place = random.usize(..entries.len());
            let entry = entries.get_index(place);
            if entry.is_some_and(|(_, entry)| entry.is_over(now)) {
                entries.swap_remove_index(place);
            }
        }
    }

    /// Drop what is dead, or else the one that would be forgotten first, of a small
    /// sample: from a random place on, evenly over the whole shard.
    fn make_room(&mut self, pool: &Pool, now: Duration) {
        self.make_room_by(|entry| entry.is_live(pool, now));
    }

    /// The same for somebody who does not know the pool.
    fn make_any_room(&mut self, now: Duration) {
        self.make_room_by(|entry| !entry.is_over(now));
    }

    fn make_room_by(&mut self, is_live: impl Fn(&Entry) -> bool) {
        let Self {
            entries, random, ..
        } = self;
        let (length, start) = (entries.len(), random.usize(..entries.len().max(1)));
        let step = (length / EVICTION_SAMPLE).max(1);
        let places = (0..EVICTION_SAMPLE.min(length)).map(|n| (start + n * step) % length);
        let victim = places.min_by_key(|place| {
            let entry = entries.get_index(*place).map(|(_, entry)| entry);
            entry.map(|entry| (is_live(entry), entry.ends()))
        });
        if let Some(place) = victim {
            entries.swap_remove_index(place);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
