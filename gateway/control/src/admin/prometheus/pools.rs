//! The metrics of each pool: whether it panics, and of the requests that wait.

use std::fmt;

use super::families::{Families, Labelled};
use crate::overview::PoolFigures;

pub(super) fn write(families: &mut Families<'_>, pools: &[PoolFigures]) -> fmt::Result {
    let pools = pools.iter();
    let pools = pools.map(|pool| (vec![("pool", pool.name.to_string())], pool));
    let pools: Vec<Labelled<&PoolFigures>> = pools.collect();
    families.gauges(
        (
            "pool_panicking",
            "1 while so few of the pool's servers are well that all get requests.",
        ),
        &pools,
        |pool| f64::from(u8::from(pool.panicking)),
    )?;
    families.gauges(
        (
            "pool_waiting",
            "Requests that wait for a server that has room.",
        ),
        &pools,
        |pool| pool.queue.waiting as f64,
    )?;
    families.counters(
        ("pool_waited", "Requests that have waited, or wait."),
        &pools,
        |pool| pool.queue.joined,
    )?;
    families.counters(
        (
            "pool_wait_timeouts",
            "Requests that waited for as long as they may, in vain.",
        ),
        &pools,
        |pool| pool.queue.overdue,
    )?;
    families.counters(
        (
            "pool_overflows",
            "Requests that were refused because as many waited as may.",
        ),
        &pools,
        |pool| pool.queue.refused,
    )
}
