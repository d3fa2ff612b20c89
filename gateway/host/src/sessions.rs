//! A pool's session table: which endpoint has which session.
//!
//! An entry names its endpoint by slot and by id. A slot goes to another
//! endpoint only under another id, so an entry whose two names disagree is one
//! of an endpoint that is gone, and is dropped when it is met. So is what was idle
//! for too long, which every use of the table looks for in passing: of what is
//! dead, no more stays than comes.

mod kept;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatewright_model::id::{EndpointId, Slot};
use gatewright_model::pool::Pool;
use indexmap::IndexMap;

pub(crate) use kept::KeptSession;
use kept::Waiting;

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
    hasher: RandomState,
    shards: [Mutex<IndexMap<Arc<str>, Entry>>; SHARDS],
    /// Those of before whose endpoints are not there yet. No worker takes it.
    waiting: Mutex<Waiting>,
}

#[derive(Clone, Debug)]
struct Entry {
    slot: Slot,
    endpoint: EndpointId,
    idle: Duration,
    created: Duration,
    used: Duration,
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
    /// The endpoint of a session; this counts as use.
    pub(crate) fn get(&self, key: &str, pool: &Pool, now: Duration) -> Option<Slot> {
        let mut shard = self.shard(key);
        drop_some(&mut shard, now);
        let entry = shard.get_mut(key)?;
        if entry.is_live(pool, now) {
            entry.used = now;
            return Some(entry.slot);
        }
        shard.swap_remove(key);
        None
    }

    /// The endpoint of a session, for somebody whose looking is no use of it.
    pub(crate) fn peek(&self, key: &str, pool: &Pool, now: Duration) -> Option<Slot> {
        let shard = self.shard(key);
        let entry = shard.get(key).filter(|entry| entry.is_live(pool, now))?;
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
        drop_some(&mut shard, now);
        if shard.len() >= SHARD_SESSIONS && !shard.contains_key(key) {
            make_room(&mut shard, pool, now);
        }
        let known = shard.get(key).filter(|entry| entry.is_live(pool, now));
        let entry = Entry {
            slot,
            endpoint: endpoint.id.clone(),
            idle,
            created: known.map_or(now, |entry| entry.created),
            used: now,
        };
        shard.insert(key.into(), entry);
        true
    }

    /// Forget a session; returns whether there was one.
    pub fn remove(&self, key: &str) -> bool {
        self.shard(key).swap_remove(key).is_some()
    }

    /// Forget what is idle for too long or whose endpoint is gone.
    pub(crate) fn sweep(&self, pool: &Pool, now: Duration) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, entry| entry.is_live(pool, now));
        }
    }

    /// How many sessions are remembered.
    pub fn count(&self) -> usize {
        let shards = self.shards.iter();
        shards
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// The sessions that are alive, in no particular order. `now` is the host's
    /// clock, [`crate::Host::now`]. Each shard is held for as long as its part is
    /// copied: a millisecond if it is full.
    pub fn list(&self, pool: &Pool, now: Duration) -> Vec<Session> {
        let mut sessions = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let live = shard.iter().filter(|(_, entry)| entry.is_live(pool, now));
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
            for entry in shard.values().filter(|entry| entry.is_live(pool, now)) {
                counts[entry.slot.index()] += 1;
            }
        }
        counts
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, IndexMap<Arc<str>, Entry>> {
        let shard = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drop what was idle for too long of a few entries. Those of endpoints that are
/// gone are left: a worker that does not know of a new one yet would drop its own.
fn drop_some(shard: &mut IndexMap<Arc<str>, Entry>, now: Duration) {
    for _ in 0..SWEEP_SAMPLE.min(shard.len()) {
        let place = fastrand::usize(..shard.len());
        let entry = shard.get_index(place);
        if entry.is_some_and(|(_, entry)| entry.is_over(now)) {
            shard.swap_remove_index(place);
        }
    }
}

/// Drop what is dead, or else the one that would be forgotten first, of a small
/// sample: from a random place on, evenly over the whole shard.
fn make_room(shard: &mut IndexMap<Arc<str>, Entry>, pool: &Pool, now: Duration) {
    let (length, start) = (shard.len(), fastrand::usize(..shard.len().max(1)));
    let step = (length / EVICTION_SAMPLE).max(1);
    let places = (0..EVICTION_SAMPLE.min(length)).map(|n| (start + n * step) % length);
    let victim = places.min_by_key(|place| {
        let entry = shard.get_index(*place).map(|(_, entry)| entry);
        entry.map(|entry| (entry.is_live(pool, now), entry.ends()))
    });
    if let Some(place) = victim {
        shard.swap_remove_index(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::config::{self, Environment};
    use gatewright_model::snapshot::Snapshot;
    use std::path::Path;

    const HOUR: Duration = Duration::from_secs(3600);

    fn snapshot(previous: Option<&Snapshot>, ports: &[u16]) -> Snapshot {
        let server = |port: &u16| format!("{{ host = \"192.0.2.1\", port = {port} }}");
        let servers: Vec<_> = ports.iter().map(server).collect();
        let text = format!("[pools.web]\nservers = [{}]", servers.join(", "));
        let config = config::parse(&text, Path::new("."), &Environment::empty());
        Snapshot::next(previous, Arc::new(config.unwrap()), 1).unwrap()
    }

    #[test]
    fn a_session_is_forgotten_when_it_is_idle_for_too_long() {
        let snapshot = snapshot(None, &[1, 2]);
        let pool = &snapshot.pools[0];
        let sessions = Sessions::default();
        assert!(sessions.set("key", (Slot(1), HOUR), pool, HOUR));
        assert_eq!(sessions.get("key", pool, HOUR * 2), Some(Slot(1)));
        assert_eq!(sessions.get("key", pool, HOUR * 3), Some(Slot(1)));
        let late = HOUR * 4 + Duration::from_secs(1);
        assert_eq!(sessions.get("key", pool, late), None);
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn a_session_that_is_set_again_is_as_old_as_it_was() {
        let snapshot = snapshot(None, &[1, 2]);
        let pool = &snapshot.pools[0];
        let sessions = Sessions::default();
        assert!(sessions.set("key", (Slot(0), HOUR), pool, HOUR));
        assert!(sessions.set("key", (Slot(1), HOUR), pool, HOUR + HOUR / 2));
        let listed = sessions.list(pool, HOUR * 2);
        let expected = Session {
            key: "key".into(),
            endpoint: EndpointId::from("192.0.2.1:2"),
            age: HOUR,
            idle: HOUR / 2,
            left: HOUR / 2,
        };
        assert_eq!(listed, [expected]);
    }

    #[test]
    fn sessions_are_counted_by_endpoint_while_they_live() {
        let snapshot = snapshot(None, &[1, 2, 3]);
        let pool = &snapshot.pools[0];
        let sessions = Sessions::default();
        for (key, slot, idle) in [("a", 0, 1), ("b", 2, 3), ("c", 2, 3)] {
            assert!(sessions.set(key, (Slot(slot), HOUR * idle), pool, HOUR));
        }
        assert_eq!(sessions.counts(pool, HOUR), [1, 0, 2]);
        assert_eq!(sessions.counts(pool, HOUR * 3), [0, 0, 2]);
    }

    #[test]
    fn a_session_goes_with_its_endpoint_even_if_the_slot_is_taken_again() {
        let before = snapshot(None, &[1, 2]);
        let sessions = Sessions::default();
        assert!(sessions.set("key", (Slot(1), HOUR), &before.pools[0], HOUR));
        let between = snapshot(Some(&before), &[1]);
        drop(before);
        let after = snapshot(Some(&between), &[1, 3]);
        let pool = &after.pools[0];
        assert!(
            pool.endpoint(Slot(1)).is_some(),
            "the slot is not taken again"
        );
        assert_eq!(sessions.count(), 1);
        assert!(sessions.list(pool, HOUR).is_empty());
        sessions.sweep(pool, HOUR);
        assert_eq!(sessions.count(), 0);
        assert!(!sessions.set("key", (Slot(7), HOUR), pool, HOUR));
        assert!(!sessions.set(&"k".repeat(KEY_BYTES + 1), (Slot(1), HOUR), pool, HOUR));
    }

    #[test]
    fn a_full_shard_drops_what_is_dead_before_what_is_old() {
        let snapshot = snapshot(None, &[1]);
        let pool = &snapshot.pools[0];
        let entry = |idle, used| Entry {
            slot: Slot(0),
            endpoint: EndpointId::from("192.0.2.1:1"),
            idle,
            created: used,
            used,
        };
        let mut shard = IndexMap::from([
            ("dead".into(), entry(HOUR, HOUR * 8)),
            ("old".into(), entry(HOUR * 99, HOUR)),
            ("new".into(), entry(HOUR * 99, HOUR * 9)),
        ]);
        let present = |shard: &IndexMap<Arc<str>, Entry>, key: &str| shard.contains_key(key);
        make_room(&mut shard, pool, HOUR * 10);
        assert!(!present(&shard, "dead") && shard.len() == 2);
        make_room(&mut shard, pool, HOUR * 10);
        assert!(!present(&shard, "old") && present(&shard, "new"));
    }

    #[test]
    fn what_is_kept_shortly_makes_room_before_what_is_older() {
        let snapshot = snapshot(None, &[1]);
        let pool = &snapshot.pools[0];
        let entry = |idle, used| Entry {
            slot: Slot(0),
            endpoint: EndpointId::from("192.0.2.1:1"),
            idle,
            created: used,
            used,
        };
        let minute = Duration::from_secs(60);
        let mut shard = IndexMap::from([
            ("named".into(), entry(HOUR, HOUR)),
            ("claimed".into(), entry(minute, HOUR + minute)),
        ]);
        make_room(&mut shard, pool, HOUR + minute);
        assert!(shard.contains_key("named") && shard.len() == 1);
    }

    #[test]
    fn what_is_over_goes_while_others_are_used() {
        let snapshot = snapshot(None, &[1]);
        let pool = &snapshot.pools[0];
        let sessions = Sessions::default();
        let minute = Duration::from_secs(60);
        for number in 0..1000 {
            assert!(sessions.set(&number.to_string(), (Slot(0), minute), pool, HOUR));
        }
        let later = HOUR + 2 * minute;
        // Each is looked at in its shard with one in about 60, some thousand times.
        for number in 0..16_000 {
            let key = format!("new {}", number % 160);
            assert!(sessions.set(&key, (Slot(0), HOUR), pool, later));
            assert_eq!(sessions.get(&key, pool, later), Some(Slot(0)));
        }
        assert_eq!(sessions.count(), 160);
    }

    #[test]
    fn in_a_full_shard_the_old_make_room_for_the_new() {
        const ENTRIES: u64 = 512;
        let snapshot = snapshot(None, &[1]);
        let pool = &snapshot.pools[0];
        let entry = |used| Entry {
            slot: Slot(0),
            endpoint: EndpointId::from("192.0.2.1:1"),
            idle: HOUR * 99,
            created: Duration::from_secs(used),
            used: Duration::from_secs(used),
        };
        let named = |n: u64| -> (Arc<str>, Entry) { (n.to_string().into(), entry(n)) };
        let mut shard: IndexMap<_, _> = (0..ENTRIES).map(named).collect();
        for n in ENTRIES..10 * ENTRIES {
            make_room(&mut shard, pool, HOUR);
            shard.extend([named(n)]);
        }
        assert_eq!(shard.len() as u64, ENTRIES);
        // Of those that came last nine in ten are there, and of the first nobody.
        let since = |n: u64| shard.values().filter(|it| it.used.as_secs() >= n).count();
        assert!(
            since(9 * ENTRIES + ENTRIES / 2) > 230,
            "{}",
            since(9 * ENTRIES)
        );
        assert_eq!(
            shard
                .values()
                .filter(|it| it.used.as_secs() < ENTRIES)
                .count(),
            0
        );
    }
}
