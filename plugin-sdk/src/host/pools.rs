//! The gateway's pools. Needs no grant.

use super::backend::pools as host;
use crate::PoolIndex;

/// The pool of that name, if there is one. Ask in `configure` and keep the answer.
pub fn index(name: &str) -> Option<PoolIndex> {
    host::index(name)
}

/// How many of a pool's endpoints may take new work now; 0 for an unknown index.
pub fn available(pool: PoolIndex) -> u32 {
    host::available(pool)
}
