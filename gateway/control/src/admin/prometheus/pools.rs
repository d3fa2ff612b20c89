//! The metrics of each pool: of the requests that wait for it.

use std::fmt;

use super::families::{Families, Labelled};
use crate::overview::PoolFigures;

pub(super) fn write(families: &mut Families<'_>, pools: &[PoolFigures]) -> fmt::Result {
    let labelled = |pool: &PoolFigures| (vec![("pool", pool.name.to_string())], pool.queue);
    let pools: Vec<Labelled<_>> = pools.iter().map(labelled).collect();
    families.gauges(
        (
            "pool_waiting",
            "Requests that wait for a server that has room.",
        ),
        &pools,
        |queue| queue.waiting as f64,
    )?;
    families.counters(
        ("pool_waited", "Requests that have waited, or wait."),
        &pools,
        |queue| queue.joined,
    )?;
    families.counters(
        (
            "pool_wait_timeouts",
            "Requests that waited for as long as they may, in vain.",
        ),
        &pools,
        |queue| queue.overdue,
    )?;
    families.counters(
        (
            "pool_overflows",
            "Requests that were refused because as many waited as may.",
        ),
        &pools,
        |queue| queue.refused,
    )
}
