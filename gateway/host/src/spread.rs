//! How a table spreads its keys over its shards.

use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};

/// What spreads a table's keys.
#[derive(Clone, Debug)]
pub(crate) enum Spread {
    /// So that no client can foresee it, and fill one shard alone.
    Secret(RandomState),
    /// The same way each time, for a simulation of this seed.
    Seeded(u64),
}

impl Default for Spread {
    fn default() -> Self {
        Self::Secret(RandomState::new())
    }
}

impl Spread {
    /// The shard of a key, of so many.
    pub(crate) fn shard(&self, key: &str, of: usize) -> usize {
        let hash = match self {
            Self::Secret(state) => state.hash_one(key),
            Self::Seeded(seed) => {
                let mut hasher = DefaultHasher::new();
                (seed, key).hash(&mut hasher);
                hasher.finish()
            }
        };
        hash as usize % of
    }

    /// What the shard of this number draws from.
    pub(crate) fn generator(&self, shard: usize) -> fastrand::Rng {
        match self {
            Self::Secret(_) => fastrand::Rng::new(),
            Self::Seeded(seed) => fastrand::Rng::with_seed(seed.wrapping_add(shard as u64)),
        }
    }
}
