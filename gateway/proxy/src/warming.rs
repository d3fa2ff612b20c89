//! Slow start: what becomes of a balancer's pick of a server that was added or
//! has recovered a moment ago.

use gatewright_model::id::Slot;

use crate::current::PoolView;
use crate::worker::Worker;

/// Whether a server in a slot takes less than its share. Where nobody in the pool
/// does, that costs one load.
pub(crate) fn is_warming(pool: &PoolView, slot: Slot) -> bool {
    let endpoint = || pool.endpoint(slot);
    pool.pool.state.is_warming() && endpoint().is_some_and(|one| one.state.warmth.is_warming())
}

/// Whether a server in a slot takes this request: a warming one takes the part of
/// them that it is warm for.
pub(crate) fn takes(worker: &Worker, pool: &PoolView, slot: Slot) -> bool {
    if !is_warming(pool, slot) {
        return true;
    }
    let lot = worker.random.borrow_mut().u8(..100);
    let endpoint = pool.endpoint(slot);
    endpoint.is_none_or(|endpoint| lot < endpoint.state.warmth.percent())
}
