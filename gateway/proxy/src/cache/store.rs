//! Where answers are kept: in memory, within a bound, for all workers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gatewright_model::config::Config;
use gatewright_model::id::PoolName;
use http::HeaderMap;
use quick_cache::sync::{Cache as Sharded, EntryAction, EntryResult};
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use super::flights::Flights;
use super::purge::Purge;
use super::room::{Rooms, beside};
use super::stored::{Key, Resource, Stored};

/// The parts of the memory, each with a lock of its own that is held for about as
/// long as a look into a map takes. An answer lies in one of them whole, so that more
/// parts would leave less room for large ones.
const PARTS: usize = 8;

/// What is taken to lie in a part, to begin with.
const USUAL_WEIGHT: u64 = 8 * 1024;

/// What was kept of a URL, for a request's headers.
pub(super) struct Found {
    /// The answer, if one fits.
    pub(super) stored: Option<Arc<Stored>>,
    /// Whether others are kept, which do not fit.
    pub(super) has_others: bool,
    /// Whether requests for it do not wait for each other.
    pub(super) is_apart: bool,
}

/// Kept answers of all pools.
#[derive(Debug)]
pub struct Cache {
    kept: Sharded<Key, Resource, Weight, DefaultHashBuilder, Evictions>,
    evictions: Arc<AtomicU64>,
    pub(super) flights: Flights,
    /// For bodies that are on their way.
    pub(super) rooms: Arc<Rooms>,
    /// What times are counted from, in nanoseconds.
    born: Instant,
    /// What was asked for before is not kept any more.
    purged: AtomicU64,
    /// The pools that cache.
    caching: Mutex<HashSet<PoolName>>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// URLs of which something is known: an answer, or that there is none to keep.
    pub entries: usize,
    /// What they and bodies on their way to them take of the memory, in bytes, about.
    pub bytes: u64,
    /// What they may take, in bytes.
    pub capacity: u64,
    /// How often something gave way to something else.
    pub evictions: u64,
}

impl Cache {
    /// Nothing yet, and as much as a configuration allows.
    pub fn new(config: &Config) -> Self {
        let evictions = Arc::<AtomicU64>::default();
        let memory = beside(config.cache_memory);
        let options = OptionsBuilder::new()
            .shards(PARTS)
            .weight_capacity(memory)
            .estimated_items_capacity((memory / USUAL_WEIGHT) as usize)
            .build();
        let lifecycle = Evictions(Arc::clone(&evictions));
        let kept = match options {
            Ok(options) => {
                Sharded::with_options(options, Weight, DefaultHashBuilder::default(), lifecycle)
            }
            Err(_) => Sharded::with(
                (memory / USUAL_WEIGHT) as usize,
                memory,
                Weight,
                DefaultHashBuilder::default(),
                lifecycle,
            ),
        };
        Self {
            kept,
            evictions,
            flights: Flights::default(),
            rooms: Rooms::new(config.cache_memory),
            born: Instant::now(),
            purged: AtomicU64::new(0),
            caching: Mutex::default(),
        }
    }

    /// Be as large as another configuration allows, and forget the pools that do not
    /// cache in it: nobody would tell when their answers change.
    pub(crate) fn adopt(&self, config: &Config) {
        let memory = config.cache_memory;
        if self.rooms.resize(memory) != memory {
            self.kept.set_capacity(beside(memory));
        }
        let pools = config.pools.iter().filter(|pool| pool.cache.is_some());
        let now: HashSet<_> = pools.map(|pool| pool.name.clone()).collect();
        let mut caching = self.caching.lock().unwrap_or_else(PoisonError::into_inner);
        if !caching.is_subset(&now) {
            self.forget(|key| !now.contains(&key.pool));
        }
        *caching = now;
    }

    /// How much is kept.
    pub fn kept(&self) -> Kept {
        Kept {
            entries: self.kept.len(),
            bytes: self.kept.weight() + self.rooms.taken(),
            capacity: self.rooms.memory(),
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    /// Keep some answers no more, nor those that are on their way; returns of how
    /// many URLs something was known.
    pub fn purge(&self, which: &Purge) -> usize {
        let before = self.kept.len();
        self.forget(|key| which.is_of(key));
        before.saturating_sub(self.kept.len())
    }

    fn forget(&self, which: impl Fn(&Key) -> bool) {
        let now = self.nanos(Instant::now());
        self.purged.fetch_max(now, Ordering::Relaxed);
        self.kept.retain(|key, _| !which(key));
    }

    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.born).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    /// What is kept for a request with these headers.
    pub(super) fn find(&self, key: &Key, request: &HeaderMap, now: Instant) -> Found {
        let resource = self.kept.get(key).unwrap_or_default();
        let stored = resource.variant(request).cloned();
        Found {
            has_others: stored.is_none() && !resource.is_empty(),
            is_apart: resource.is_apart(now),
            stored,
        }
    }

    /// Keep an answer that was asked for at this time; returns whether it is kept, which
    /// it is not where something has changed it since.
    pub(super) fn keep(&self, key: &Key, stored: &Arc<Stored>, asked: Instant) -> bool {
        if self.nanos(asked) < self.purged.load(Ordering::Relaxed) {
            return false;
        }
        let mut is_kept = false;
        self.alter(key, |resource| is_kept = resource.keep(stored, asked));
        is_kept
    }

    /// Answers like that to this request are not to be kept.
    pub(super) fn keep_apart(&self, key: &Key, request: &HeaderMap, now: Instant) {
        self.alter(key, |resource| resource.keep_apart(request, now));
    }

    /// Something has changed what is at a URL.
    pub(super) fn change(&self, key: &Key, now: Instant) {
        self.alter(key, |resource| resource.change(now));
    }

    /// Change what is known of a URL, while nobody else does.
    fn alter(&self, key: &Key, change: impl FnOnce(&mut Resource)) {
        // One of the two runs: where nothing is known yet, or where something is.
        let mut change = Some(change);
        let mut alter = |resource: &mut Resource| {
            if let Some(change) = change.take() {
                change(resource);
            }
        };
        let entry = self.kept.entry(key, None, |_, resource| {
            alter(resource);
            EntryAction::Retain(())
        });
        if let EntryResult::Vacant(place) = entry {
            let mut resource = Resource::default();
            alter(&mut resource);
            // It has been purged meanwhile, if there is no place any more.
            let _ = place.insert(resource);
        }
    }
}

/// What a URL's answers weigh.
#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Key, Resource> for Weight {
    fn weight(&self, key: &Key, resource: &Resource) -> u64 {
        let key = size_of::<Key>() + key.url.len() + key.told.len();
        (key + resource.weight()) as u64
    }
}

/// Counts what gives way to something else.
#[derive(Clone, Debug)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<Key, Resource> for Evictions {
    /// Values are dropped once the lock is free.
    type RequestState = Vec<Resource>;

    fn on_evict(&self, evicted: &mut Vec<Resource>, _: Key, resource: Resource) {
        self.0.fetch_add(1, Ordering::Relaxed);
        evicted.push(resource);
    }
}
